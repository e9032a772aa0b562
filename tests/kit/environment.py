"""The environment of a test run.

pytest.ini loads this as a plugin, because pytest-django reads the settings before it loads conftest.py.
"""

import atexit
import os
import shutil
import tempfile

os.environ.setdefault("SECRET_KEY", "tests-only-" + "k" * 50)
# Cheap hashing, as in ChatServer.
os.environ.setdefault("PASSWORD_MEMORY_KIB", "1024")
if "DATA_DIR" not in os.environ:
    folder = os.environ["DATA_DIR"] = tempfile.mkdtemp(prefix="chat-tests-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
