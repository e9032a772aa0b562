"""Connections: one client for each process across threads, forks and closed connections; transactions; errors."""

import logging
import multiprocessing
import os
import subprocess
import sys
import threading

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.db import (
    IntegrityError,
    OperationalError,
    close_old_connections,
    connection,
    connections,
    models,
    transaction,
)
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.state import ModelState, StateApps
from django.db.transaction import TransactionManagementError
from pymongo.errors import AutoReconnect, OperationFailure, PyMongoError

from djongo_lts import url
from djongo_lts.base import DatabaseWrapper
from djongo_lts.client import get_client
from djongo_lts.commands import Count, Find
from djongo_lts.errors import django_error
from djongo_lts.testing import MongoServer

from .testapp import make
from .testapp.models import Message, Room


def in_threads(call, count=8) -> list:
    results, errors = [], []

    def work():
        try:
            results.append(call())
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors
    return results


def test_client_when_threads_connect_at_once_then_all_share_it(room):
    def client():
        assert Room.objects.count() == 1
        return id(connection.client_connection)

    assert len(set(in_threads(client))) == 1


def test_client_when_connections_are_closed_then_it_stays_open(room):
    connection.ensure_connection()
    client = connection.client_connection
    close_old_connections()
    connection.close()
    assert Room.objects.count() == 1
    assert connection.client_connection is client


def count_in_child(queue):
    try:
        client = id(connection.client_connection)
        queue.put((Room.objects.count(), id(connection.client_connection) != client))
    except Exception as error:
        queue.put(repr(error))


def test_client_when_the_process_forks_then_the_child_makes_its_own(room):
    assert Room.objects.count() == 1
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=count_in_child, args=(queue,))
    child.start()
    assert queue.get(timeout=30) == (1, True)
    child.join(30)
    assert Room.objects.count() == 1


def test_atomic_when_it_raises_then_earlier_writes_stay(mongo):

    @transaction.atomic
    def write_and_fail():
        Room.objects.create(name="a")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    assert Room.objects.count() == 1
    with transaction.atomic():
        Room.objects.create(name="b", slug="s")
        with pytest.raises(IntegrityError), transaction.atomic():
            Room.objects.create(name="c", slug="s")
        # The error caught inside does not block the rest of the outer block.
        assert Room.objects.count() == 2


def test_atomic_when_marked_for_rollback_then_queries_raise(mongo):
    for query in (User.objects.count, User.objects.exists, User.objects.first):
        with transaction.atomic():
            connection.set_rollback(True)
            with pytest.raises(TransactionManagementError):
                query()


def test_on_commit_when_the_block_ends_then_it_runs(mongo):
    ran = []
    with transaction.atomic():
        transaction.on_commit(lambda: ran.append(1))
        assert ran == []
    assert ran == [1]


def test_get_or_create_when_threads_race_then_all_return_one_row(mongo):
    made = in_threads(lambda: Room.objects.get_or_create(slug="same", defaults={"name": "x"}))
    assert len({room.pk for room, _ in made}) == 1
    assert [created for _, created in made].count(True) == 1


def wrapper_for(server_url: str) -> DatabaseWrapper:
    settings = url.parse(
        f"{server_url}/crash?serverSelectionTimeoutMS=300&connectTimeoutMS=300&socketTimeoutMS=2000"
    )
    return DatabaseWrapper({**connections.settings["default"], **settings}, alias="crash")


def test_server_when_killed_and_restarted_then_the_connection_recovers(mongo):
    server = MongoServer(sync=True)
    try:
        other = wrapper_for(server.start())
        other.run_on_database(lambda database: database["x"].insert_one({"_id": 1}))
        with other.cursor() as cursor:
            server.kill()
            with pytest.raises(OperationalError) as lost:
                cursor.execute(Count("x", {}))
        assert isinstance(lost.value.__cause__, PyMongoError)
        assert not other.is_usable()
        server.start()
        assert other.run_on_database(lambda database: database["x"].count_documents({})) == 1
        assert other.is_usable()
    finally:
        server.stop()


def test_django_error_when_given_a_driver_error_then_the_class_fits():
    assert isinstance(django_error(OperationFailure("conflict", 112)), OperationalError)
    assert isinstance(django_error(OperationFailure("auth", 18)), OperationalError)
    assert isinstance(django_error(AutoReconnect("gone")), OperationalError)
    assert isinstance(django_error(OperationFailure("dup", 11000)), IntegrityError)


def test_url_when_it_has_options_then_all_reach_the_client():
    text = "mongodb://us%40er:p%2Fw@h1:27018,h2/chat?replicaSet=rs0&tls=true&w=majority&socketTimeoutMS=7&appName=x"
    entry = url.parse(text)
    assert entry == {"ENGINE": "djongo_lts", "NAME": "chat", "CLIENT": {"host": text}}
    params = DatabaseWrapper({**connections.settings["default"], **entry}, "x").get_connection_params()
    assert params["serverSelectionTimeoutMS"] == 5_000
    # The value in the URL applies.
    assert "socketTimeoutMS" not in params
    params = {name: value for name, value in params.items() if name not in ("name", "enforce_schema")}
    options = get_client(params).options
    assert options.replica_set_name == "rs0"
    assert options.pool_options.socket_timeout == 0.007
    assert options.pool_options.appname == "x"
    assert options.write_concern.document == {"w": "majority"}
    assert options._options["tls"] is True
    for bad in ("postgres://h/x", "mongodb://h", "mongodb://h/?tls=true"):
        with pytest.raises(ImproperlyConfigured):
            url.parse(bad)


def test_schema_when_enforced_then_an_unknown_collection_raises(room):
    settings = {
        **connections.settings["default"],
        "NAME": connection.settings_dict["NAME"],
        "ENFORCE_SCHEMA": True,
    }
    strict = DatabaseWrapper(settings, "strict")
    made = ModelState("probe", "Made", [("id", models.AutoField(primary_key=True))]).render(StateApps([], {}))
    with strict.schema_editor() as editor:
        editor.create_model(made)
        editor.delete_model(made)
    with strict.cursor() as cursor:
        cursor.execute(Count("testapp_room", {}))
        with pytest.raises(Exception, match="no such collection"):
            cursor.execute(Count("nowhere", {}))


def test_auto_numbers_when_threads_insert_at_once_then_all_are_unique(mongo):
    from .testapp.models import Tag

    def insert():
        made = Tag.objects.bulk_create([Tag(name="x") for _ in range(20)])
        made += [Tag.objects.create(name="y") for _ in range(5)]
        numbers = [tag.pk for tag in made]
        # bulk_create() gets a range without gaps.
        assert numbers[:20] == list(range(numbers[0], numbers[0] + 20))
        return numbers

    numbers = [number for made in in_threads(insert, 6) for number in made]
    assert len(set(numbers)) == 150
    Tag.objects.create(pk=10_000, name="given")
    assert Tag.objects.create(name="after").pk == 10_001


def test_output_when_queries_run_then_stdout_and_stderr_stay_empty(server_url):
    script = (
        "import django; django.setup()\n"
        "from django.db import connection, connections\n"
        "from django.core.management import call_command\n"
        "connection.settings_dict['NAME'] = 'silent'\n"
        "call_command('migrate', verbosity=0)\n"
        "from djongo_lts.tests.testapp.models import Room\n"
        "Room.objects.create(name='x'); list(Room.objects.filter(name__icontains='X'))\n"
        "connection.introspection.table_names()\n"
        "connection.client_connection.drop_database('silent')\n"
    )
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "djongo_lts.tests.settings",
        "ENGINE_TEST_URL": server_url,
        "PYTHONWARNINGS": "error:::djongo_lts",
    }
    logged = f"import logging; logging.disable({logging.CRITICAL})\n"
    done = subprocess.run(
        [sys.executable, "-c", logged + script], env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_wrapper_when_defined_then_it_extends_djongos():
    from djongo.base import DatabaseWrapper as Djongo

    assert issubclass(DatabaseWrapper, Djongo)
    assert issubclass(DatabaseWrapper, BaseDatabaseWrapper)


def test_rows_when_the_server_dies_while_fetching_then_operational_error(mongo):
    server = MongoServer()
    try:
        other = wrapper_for(server.start())
        other.run_on_database(lambda database: database["x"].insert_many([{"n": n} for n in range(500)]))
        with other.cursor() as cursor:
            cursor.execute(Find("x", {}, ["n"]))
            assert len(cursor.fetchmany(50)) == 50
            server.kill()
            with pytest.raises(OperationalError):
                cursor.fetchall()
    finally:
        server.stop()


def test_save_when_the_connection_is_closed_then_it_reconnects(room):
    connection.close()
    make.message(room, 1).save()
    assert Message.objects.count() == 1
