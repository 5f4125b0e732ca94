import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { programCommand } from "@boxship/base/entry";
import { tempDir } from "@boxship/testkit";
import { runSimulation } from "./run-simulation.ts";

/** What `boxship simulate` prints and complains, and its status. */
async function run(...argv: readonly string[]) {
  const [printed, complained]: [string[], string[]] = [[], []];
  const status = await runSimulation(argv, {
    print: (text) => void printed.push(text),
    complain: (text) => void complained.push(text),
  });
  return { status, printed: printed.join("\n"), complained: complained.join("\n") };
}

const SCENARIO = `
apiVersion: v1
kind: Node
metadata: { name: worker, annotations: { simulate.boxship/count: "2" } }
status: { allocatable: { cpu: "2", memory: 4Gi, pods: "10" } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [{ name: web, image: web }] }
`;

const bad: readonly (readonly [readonly string[], RegExp])[] = [
  [["--nodes=1e9"], /--nodes "1e9" is no number from 0 to 100000/],
  [["--nodes="], /--nodes "" is no number/],
  [["--pods=-1"], /--pods "-1" is no number/],
  [["--seed=NaN"], /--seed "NaN" is no number/],
  [["--minutes=1.5"], /--minutes "1.5" is no number/],
  [["--history="], /--history is given no path/],
  [["--scenario="], /--scenario is given no path/],
  [["--history=/nowhere/at/all"], /\/nowhere\/at\/all cannot be written: ENOENT/],
  [["--svg=/"], /\/ cannot be written: EISDIR/],
  [["--scenario=/nowhere"], /\/nowhere cannot be read: ENOENT/],
  [["--scenario=/dev/zero"], /\/dev\/zero is larger than 67108864 bytes/],
  [["--scenario=/dev/null"], /the scenario is empty/],
  [["--scenario=/dev/null", "--pods=1"], /--pods and --scenario are given/],
  [["--nodes=1", "--pods=1", "--minutes=1", "--svg=/dev/full"], /\/dev\/full could not be written: ENOSPC/],
  [["--magic"], /--magic/],
  [["word"], /word/],
];

describe("boxship simulate", () => {
  test("refuses what it is given by its name", async () => {
    for (const [argv, words] of bad) {
      const { status, complained } = await run(...argv);
      assert.equal(status, 1, argv.join(" "));
      assert.match(complained, words);
    }
  });

  test("lets things go wrong on a scenario's own nodes, and tells the same twice", async () => {
    await using directory = tempDir("simulate");
    const [scenario, one, two, svg] = ["web.yaml", "one", "two", "svg"].map((name) => directory.join(name));
    await writeFile(scenario ?? "", SCENARIO);
    const args = [`--scenario=${scenario}`, "--minutes=15", "--seed=1", "--faults"];
    const first = await run(...args, `--history=${one}`, `--svg=${svg}`);
    assert.deepEqual([first.status, first.complained], [0, ""]);
    assert.match(first.printed, /\n 0:15:00 {7}2 {7}0 {7}2 {7}0\n\d+ writes of controllers, \d+ faults, 0 violations$/);
    await run(...args, `--history=${two}`);
    const history = await readFile(one ?? "", "utf8");
    assert.equal(await readFile(two ?? "", "utf8"), history);
    assert.match(history, /fault: \d+s worker-\d is drained/);
    assert.match(history, /user: uncordon worker-\d\n/);
    assert.match(await readFile(svg ?? "", "utf8"), /^<svg .*<\/svg>\n$/);
  });

  test("is told of a flag whose value is empty", async () => {
    const [file, ...args] = programCommand();
    const { promise, resolve } = Promise.withResolvers<string>();
    execFile(file, [...args, "simulate", "--scenario", ""], (_, __, stderr) => resolve(stderr));
    assert.match(await promise, /--scenario is given no path/);
  });
});
