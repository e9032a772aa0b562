"""The TypeScript types of the socket's events, as a client compiles with them. About five seconds."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit.paths import ROOT

pytestmark = pytest.mark.once  # types without data

# tsc also fails where it finds no error behind `@ts-expect-error`.
CLIENT = """
import type { ClientEvents, ServerFrame } from "chat-client/events";

declare function request<E extends keyof ClientEvents>(
  event: E, data: ClientEvents[E]["data"],
): Promise<ClientEvents[E]["reply"]>;

export async function greet(roomId: string): Promise<number> {
  const stored = await request("message:send", { roomId, content: "hello" });
  await request("message:ack", { roomId, seq: stored.seq, status: "read" });
  // @ts-expect-error
  await request("message:send", { roomId, contnet: "hello" });
  // @ts-expect-error
  await request("message:send", { roomId });
  // @ts-expect-error
  await request("message:sned", { roomId, content: "hello" });
  // @ts-expect-error
  await request("message:ack", { roomId, seq: stored.seq, status: "seen" });
  // @ts-expect-error
  return stored.sequence;
}

export function describe(frame: ServerFrame): string {
  switch (frame.event) {
    case "message:receive":
      return frame.data.content;
    case "message:deleted":
      // @ts-expect-error
      return frame.data.contnet;
    case "room:member":
      return frame.data.member?.role ?? "left";
    case "error:rate_limited":
      return `again in ${frame.data.retryAfter} s`;
    // @ts-expect-error
    case "room:members":
      return "";
    default:
      return frame.event;
  }
}
"""


def test_client_when_compiled_then_only_its_misspelt_names_are_refused(
    node: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    package = tmp_path / "node_modules" / "chat-client"
    package.parent.mkdir()
    package.symlink_to(ROOT / "clients" / "js")
    program = tmp_path / "client.mts"
    program.write_text(CLIENT)
    options = ["--strict", "--noEmit", "--module", "nodenext", "--lib", "es2022", "--skipDefaultLibCheck"]
    node("node_modules/typescript/bin/tsc", *options, str(program))
