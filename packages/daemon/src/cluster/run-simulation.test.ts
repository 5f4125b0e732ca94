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

/** Fails where something empties the node that the Deployment likes better. */
const CROWDED = `
apiVersion: v1
kind: Node
metadata: { name: spare }
status: { allocatable: { cpu: "2", memory: 4Gi, pods: "10" } }
---
apiVersion: v1
kind: Node
metadata: { name: first, labels: { first: "yes" } }
status: { allocatable: { cpu: "2", memory: 4Gi, pods: "10" } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 1
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      containers: [{ name: web, image: web, resources: { requests: { cpu: "1" } } }]
      affinity:
        nodeAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
            - { weight: 100, preference: { matchExpressions: [{ key: first, operator: Exists }] } }
---
apiVersion: v1
kind: Pod
metadata: { name: forced, annotations: { simulate.boxship/at: 8m } }
spec: { nodeName: spare, containers: [{ name: x, image: x, resources: { requests: { cpu: 1500m } } }] }
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
  [["--only-faults="], /--only-faults "" is no list of numbers\n.*e\.g\. 2,5/],
  [["--only-faults=1,,2"], /--only-faults "1,,2" is no list of numbers/],
  [["--only-faults=0"], /--only-faults names fault 0, and seed 1 has \d+ with these nodes and minutes/],
  [["--only-faults=1,999", "--minutes=5"], /--only-faults names fault 999/],
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

  test("names the faults that are enough to fail, and the command that plays these alone", async () => {
    await using directory = tempDir("simulate");
    const scenario = directory.join("crowded place.yaml");
    await writeFile(scenario, CROWDED);
    const args = [`--scenario=${scenario}`, "--minutes=10", "--seed=1"];
    const { status, printed } = await run(...args, "--faults");
    const end = printed.split("\n").slice(-5);
    assert.deepEqual(end, [
      "33 writes of controllers, 5 faults, 1 violations",
      "  node spare is too full: 2.5, 0, 2 of 2, 4294967296, 10",
      "seed 1 fails; of its faults these are enough:",
      "  4: 287s first is drained, and is back after 88s",
      `to play this again: boxship simulate '--scenario=${scenario}' --minutes=10 --seed=1 --only-faults=4`,
    ]);
    assert.equal(status, 1);
    const again = await run(...args, "--only-faults=4,4");
    assert.equal(again.status, 1);
    assert.match(again.printed, /, 1 faults, 1 violations\n/);
    assert.deepEqual(again.printed.split("\n").slice(-3), end.slice(-3));
    const without = await run(...args, "--only-faults", "1,2,3,5", "--faults");
    assert.deepEqual([without.status, without.printed.endsWith(", 4 faults, 0 violations")], [0, true]);
  });

  test("is told of a flag whose value is empty", async () => {
    const [file, ...args] = programCommand();
    const { promise, resolve } = Promise.withResolvers<string>();
    execFile(file, [...args, "simulate", "--scenario", ""], (_, __, stderr) => resolve(stderr));
    assert.match(await promise, /--scenario is given no path/);
  });
});
