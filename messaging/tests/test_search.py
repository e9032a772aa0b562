"""Search: text in the user's own rooms, with every character taken literally. Takes about three seconds."""

import pytest

from tests.kit.errors import error_of
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

HOSTILE = [
    "100%", "snake_case", "back\\slash", "it's", 'say "hi"', "a.b", "(open", "[a-z]", "^start", "end$", "a+b*c?",
    "{}", '{"$gt": ""}', "'; DROP TABLE messaging_message; --", "$where", "%25", "a\nb", "ß", "Größe", "日本語",
    "😀",
]  # fmt: skip


def found(user: ChatUser, q: str, **query: str) -> list[str]:
    answer = user.http.get("/api/messages/search", params={"q": q, **query})
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"results", "next", "previous"}
    return [message["content"] for message in answer.json()["results"]]


@pytest.fixture(scope="module")
def finder(server: ChatServer, ann: ChatUser) -> ChatUser:
    """A user with one room of hostile strings, and a decoy that only wildcards would match."""
    user = server.sign_up()
    room_id = user.make_room(ann)
    user.send(room_id, "decoy xyz")
    for text in HOSTILE:
        user.send(room_id, text)
    return user


@pytest.mark.parametrize("text", HOSTILE)
def test_search_when_the_text_is_hostile_then_finds_only_matches(finder: ChatUser, text: str) -> None:
    assert found(finder, text) == [
        content for content in HOSTILE[::-1] if text.casefold() in content.casefold()
    ]


@pytest.mark.parametrize("text", ["%", "_", ".", "\\", "*", "?", "$", "^", "(", "[", "'", '"', "{"])
def test_search_when_for_a_special_character_then_it_is_literal(finder: ChatUser, text: str) -> None:
    assert set(found(finder, text)) == {content for content in HOSTILE if text in content}


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ("Straße nach Größenwahn", ["GRÖSSE", "größe", "grosse", "STRASSE", "ße n"]),
        ("Caf\u00e9 d'\u00e9t\u00e9", ["CAFE", "cafe\u0301", "ÉTÉ", "d'ete"]),
        ("Cafe\u0301 au lait", ["caf\u00e9 au", "CAFÉ AU", "fe a"]),
        ("ПРИВЕТ, Ёлка", ["привет", "ёлка", "елка"]),
        ("ΟΔΟΣ", ["οδος", "ΟΔΌΣ"]),
        ("İstanbul", ["istanbul", "ISTANBUL"]),
        ("ｆｕｌｌ　ＷＩＤＴＨ", ["full width", "Ｗidth"]),
        ("今日は日本語で話す", ["日本", "本語で", "話"]),
        ("ガギグ", ["ｶﾞｷﾞ", "ギグ"]),
        ("한국어로 말하기", ["국어", "\u1112\u1161\u11ab\u1100\u116e\u11a8\u110b\u1165"]),
        ("हिन्दी में", ["हिन्दी", "न्दी"]),
        ("👩\u200d🚀 lifts off", ["👩\u200d🚀", "🚀 LIFTS"]),
    ],
)
def test_search_when_written_differently_then_finds_the_message(
    ann: ChatUser, content: str, texts: list[str]
) -> None:
    room_id = ann.make_room()
    ann.send(room_id, "decoy")
    message = ann.send(room_id, content)
    assert {text: found(ann, text, roomId=room_id) for text in texts} == {text: [content] for text in texts}
    ann.http.patch(f"/api/rooms/{room_id}/messages/{message['id']}", json={"content": "other words"})
    assert found(ann, texts[0], roomId=room_id) == []
    ann.http.patch(f"/api/rooms/{room_id}/messages/{message['id']}", json={"content": content.upper()})
    assert len(found(ann, texts[0], roomId=room_id)) == 1


def test_search_when_another_letter_is_meant_then_finds_nothing(ann: ChatUser) -> None:
    room_id = ann.make_room()
    ann.send(room_id, "が हिन्दी")
    assert [found(ann, text, roomId=room_id) for text in ("か", "हिन्दा")] == [[], []]


@pytest.mark.smoke
def test_search_when_rooms_or_texts_change_then_finds_current_ones_only(
    ann: ChatUser, ben: ChatUser, cleo: ChatUser
) -> None:
    word = "needle-1f6c"
    ours, theirs = ann.make_room(ben), cleo.make_room(ben)
    hers = ann.make_room()
    for user, room_id, n in ((ann, ours, 1), (cleo, theirs, 2), (ann, hers, 3)):
        user.send(room_id, f"{word} {n}")
    assert found(ann, word) == [f"{word} 3", f"{word} 1"]
    assert found(ben, word) == [f"{word} 2", f"{word} 1"]
    assert found(ben, word, roomId=ours) == [f"{word} 1"]
    for room_id in (theirs, "01900000-0000-7000-8000-000000000000"):
        query = {"q": word, "roomId": room_id}
        error_of(ann.http.get("/api/messages/search", params=query), 404, "not_found")
    message = ben.http.get("/api/messages/search", params={"q": word, "roomId": ours}).json()["results"][0]
    assert message == ann.history(ours)[0]
    ann.http.patch(f"/api/rooms/{ours}/messages/{message['id']}", json={"content": "straw"})
    assert found(ben, word) == [f"{word} 2"]
    ann.http.patch(f"/api/rooms/{ours}/messages/{message['id']}", json={"content": f"{word} again"})
    assert found(ben, word) == [f"{word} 2", f"{word} again"]
    ann.http.delete(f"/api/rooms/{ours}/messages/{message['id']}")
    cleo.http.delete(f"/api/rooms/{theirs}/members/{ben.id}")
    assert found(ben, word) == []


def test_search_when_paged_then_the_links_lead_to_all_results(server: ChatServer, ann: ChatUser) -> None:
    room_id = ann.make_room()
    for n in range(7):
        ann.send(room_id, f"page me {n}")
    query = {"q": "page me", "roomId": room_id, "limit": "3"}
    answer = ann.http.get("/api/messages/search", params=query).json()
    pages = [answer["results"]]
    while answer["next"]:
        answer = ann.http.get(answer["next"]).json()
        pages.append(answer["results"])
    assert [[message["content"][-1] for message in page] for page in pages] == [
        ["6", "5", "4"],
        ["3", "2", "1"],
        ["0"],
    ]
    back = ann.http.get(answer["previous"]).json()
    assert back["results"] == pages[1]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "q"),
        ({"q": ""}, "q"),
        ({"q": "  "}, "q"),
        ({"q": "x" * 201}, "q"),
        ({"q": "\x00"}, "q"),
        ({"q": "\u0301"}, "q"),
        ({"q": "\u200b \u00ad"}, "q"),
        ({"q": "x", "roomId": "x"}, "roomId"),
        ({"q": "x", "limit": "0"}, "limit"),
        ({"q": "x", "limit": "201"}, "limit"),
        ({"q": "x", "limit": "-5"}, "limit"),
        ({"q": "x", "cursor": "zzz"}, "cursor"),
        ({"q": "x", "userId": "1"}, "userId"),
    ],
)
def test_search_when_the_query_is_bad_then_names_the_field(
    ann: ChatUser, query: dict[str, str], field: str
) -> None:
    error_of(ann.http.get("/api/messages/search", params=query), 400, "invalid", field)
