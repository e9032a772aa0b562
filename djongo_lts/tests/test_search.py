"""Text search: by the text index if the server has one, else by an escaped pattern within the other filters."""

import logging

from django.db import DatabaseError, connection, connections

from djongo_lts import search

from .testapp import make
from .testapp.models import Message, Room


def test_text_search_when_filtered_then_rows_match_with_one_warning(messages, caplog):
    search.text_index_cache.clear()
    other = Room.objects.create(name="other")
    make.message(other, 1, content="message 3 elsewhere").save()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            found = Message.objects.filter(room=messages[0].room, content__text_search="MESSAGE 3")
            assert [message.seq for message in found.order_by("seq")][:1] == [3]
    warned = [record for record in caplog.records if "no text index" in record.message]
    # One warning if the server has no text index, none if it has one.
    assert len(warned) == (0 if search.has_text_index(connection, "testapp_message", "content") else 1)


def test_text_search_when_an_index_exists_then_each_word_is_quoted(messages):
    key = (connection.settings_dict["NAME"], "testapp_message", "content")
    search.text_index_cache[key] = True
    try:
        query = Message.objects.filter(room=messages[0].room, content__text_search='two -"words $x')
        text = {"$search": '"two" "words" "x"', "$language": "none"}
        assert repr(text) in str(query.query)
        # The pattern checks the characters between the words.
        assert "'content': {'$regex'" in str(query.query)
        # MongoDB does not accept $text below OR or NOT.
        assert "$text" not in str(Message.objects.exclude(content__text_search="x").query)
    finally:
        search.text_index_cache.clear()


def test_text_index_when_a_migration_runs_then_the_server_is_asked_again(mongo):
    name = connection.settings_dict["NAME"], "testapp_message", "content"
    search.text_index_cache[name] = True
    with connection.schema_editor() as editor:
        editor.alter_db_table(Message, "testapp_message", "renamed")
        editor.alter_db_table(Message, "renamed", "testapp_message")
    assert name not in search.text_index_cache


def test_text_index_when_the_server_supports_it_then_it_is_created(mongo):
    names = connection.indexes("testapp_message")
    try:
        connection.run_on_database(lambda database: database["probe"].create_index([("x", "text")]))
    except DatabaseError:
        possible = False
    else:
        possible = True
    assert ("message_text" in names) == possible


def test_text_index_when_the_database_is_sqlite_then_there_is_none(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        sqlite = connections["sqlite"]
        with sqlite.cursor() as cursor:
            assert "message_text" not in sqlite.introspection.get_constraints(cursor, "testapp_message")
        query = Message.objects.filter(content__text_search="50%").query
        assert "LIKE" in query.get_compiler("sqlite").as_sql()[0]
        assert list(Message.objects.using("sqlite").filter(content__text_search="50%")) == []
