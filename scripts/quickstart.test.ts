import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";

const repository = resolve(import.meta.dirname, "..");
/** An instance of its own: links and tables of this name are the test's. */
const name = `bx${process.pid.toString(16).padStart(6, "0").slice(-6)}`;

async function run(command: string, args: readonly string[]): Promise<{ status: number | null; output: string }> {
  const child = spawn(command, args, {
    cwd: repository,
    env: { ...process.env, BOXSHIP_NAME: name, BOXSHIP_QUICKSTART_SETUP: "0" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [output, [status]] = await Promise.all([text(child.stdout), once(child, "close")]);
  return { status, output };
}

test("the newcomer's tour ends well, and again", { timeout: 300_000 }, async () => {
  const tour = ["--disable-warning=ExperimentalWarning", "scripts/quickstart.ts"];
  try {
    for (const image of [
      /The public registry cannot be reached from here|Pull complete|Downloaded/,
      /is here already/,
    ]) {
      const { status, output } = await run(process.execPath, tour);
      assert.equal(status, 0, output);
      assert.match(output, image);
      assert.match(output, /200 <h1>Hello from [0-9a-f]{12}<\/h1>/);
      assert.match(output, /\$ \.\/boxship ps\n.*\n.*quickstart-web/);
      assert.match(output, /\$ \.\/boxship logs quickstart-web\n.*response:200/s);
      assert.match(output, /\$ \.\/boxship exec quickstart-web ps\n.*httpd -f -v/s);
      assert.match(output, /altogether +[\d.]+ s/);
      assert.match(output, /200 <h1>Hello from quickstart-app-[0-9a-z-]+<\/h1>/);
      assert.match(output, /service\/quickstart-app +NodePort/);
      const port = /The server runs on: (http:\S+)/.exec(output)?.[1] ?? "";
      assert.match(await (await fetch(port)).text(), /Hello from/);
    }
  } finally {
    const { status, output } = await run("./boxship", ["system", "reset", "--force"]);
    assert.equal(status, 0, output);
  }
});
