import assert from "node:assert/strict";
import { test } from "node:test";
import { commandTable } from "./command-table.ts";
import { onSocket } from "./e2e/programs.ts";
import { REFUSED_WORDS } from "./refused-words.ts";

test("Docker's words that are no commands here say why, and what to use instead", async () => {
  const names = commandTable.flatMap(({ name, aliases = [] }) => [name, ...aliases]);
  assert.deepEqual(
    names.filter((name) => REFUSED_WORDS.has(name)),
    [],
  );
  const { status, stderr } = await onSocket("/nonexistent.sock")(["swarm", "init", "--advertise-addr", "eth0"]);
  assert.deepEqual(
    { status, stderr },
    {
      status: 1,
      stderr:
        "boxship swarm: swarm mode is not supported\nHint: boxship up serves the Kubernetes API, and Compose runs stacks on one machine\n",
    },
  );
});
