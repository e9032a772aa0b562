"""The reference of the model test: a room as docs/protocol.md describes it, in memory."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Member:
    role: str = "member"
    delivered: int = 0
    read: int = 0


@dataclass
class Message:
    sender: str
    content: str
    edited: bool = False
    deleted: bool = False


@dataclass
class Model:
    """A room. Each step returns None if it succeeds, else the code of the error."""

    name: str
    members: dict[str, Member]
    messages: list[Message] = field(default_factory=list)
    keys: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)

    def send(self, sender: str, content: str, key: str | None) -> str | None:
        if sender not in self.members:
            return "not_found"
        if key is not None and (sender, key) in self.keys:
            return None if self.keys[sender, key][1] == content else "conflict"
        self.messages.append(Message(sender, content))
        if key is not None:
            self.keys[sender, key] = (len(self.messages), content)
        self.advance(sender, len(self.messages), len(self.messages))
        return None

    def advance(self, user_id: str, delivered: int, read: int) -> None:
        member = self.members[user_id]
        member.delivered, member.read = max(member.delivered, delivered), max(member.read, read)

    def _change(self, actor: str, message: Message, *, may: bool) -> str | None:
        if actor not in self.members or message.deleted:
            return "not_found"
        return None if may else "forbidden"

    def edit(self, actor: str, message: Message, content: str) -> str | None:
        if refused := self._change(actor, message, may=message.sender == actor):
            return refused
        message.content, message.edited = content, True
        return None

    def delete(self, actor: str, message: Message) -> str | None:
        if refused := self._change(actor, message, may=message.sender == actor or self.manages(actor)):
            return refused
        message.content, message.deleted = "", True
        return None

    def ack(self, actor: str, seq: int, status: str) -> str | None:
        if actor not in self.members:
            return "not_found"
        if not 1 <= seq <= len(self.messages):
            return "invalid"
        self.advance(actor, seq, seq if status == "read" else 0)
        return None

    def manages(self, actor: str) -> bool:
        return actor in self.members and self.members[actor].role != "member"

    def rename(self, actor: str, name: str) -> str | None:
        if actor not in self.members:
            return "not_found"
        if not self.manages(actor):
            return "forbidden"
        self.name = name
        return None

    def add(self, actor: str, user_id: str) -> str | None:
        if actor not in self.members:
            return "not_found"
        if not self.manages(actor):
            return "forbidden"
        if user_id in self.members:
            return "conflict"
        head = len(self.messages)
        self.members[user_id] = Member("member", head, head)
        return None

    def remove(self, actor: str, user_id: str) -> str | None:
        if actor not in self.members:
            return "not_found"
        if actor != user_id:
            if not self.manages(actor):
                return "forbidden"
            if user_id not in self.members:
                return "not_found"
            if self.members[actor].role == self.members[user_id].role == "admin":
                return "forbidden"
        del self.members[user_id]
        return None

    def set_role(self, user_id: str, role: str) -> str | None:
        """Sets a role, as the owner."""
        if user_id not in self.members:
            return "not_found"
        self.members[user_id].role = role
        return None

    def view(self, user_id: str) -> dict[str, Any] | None:
        if user_id not in self.members:
            return None
        return {
            "name": self.name,
            "members": {
                member_id: (member.role, member.delivered, member.read)
                for member_id, member in self.members.items()
            },
            "messages": [(m.sender, m.content, m.edited, m.deleted) for m in self.messages],
        }
