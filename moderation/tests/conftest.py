"""Moderators: over HTTP against the shared server, and in the process of the test."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from moderation.services import Case
from tests.kit.servers import ChatServer
from tests.kit.users import PASSWORD

from .moderator import Moderator


@pytest.fixture(scope="session")
def moderator(server: ChatServer) -> Moderator:
    return Moderator(server)


@pytest.fixture
def root(transactional_db: Any) -> User:
    return User.objects.create_superuser(username="Root", email="root@example.com", password=PASSWORD)


@pytest.fixture
def case(root: User) -> Case:
    return Case(root.pk, root.username, reason="against the rules")


@pytest.fixture
def browser(root: User) -> Client:
    client = Client(SERVER_NAME="localhost")
    client.force_login(root)
    return client
