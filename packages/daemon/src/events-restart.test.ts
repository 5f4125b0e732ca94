import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Boxship, startBoxship } from "@boxship/testkit";

let engine: Boxship;

before(async () => {
  engine = await startBoxship();
  const made = await engine.client.call("POST", "/boxship/images/bootstrap?kind=busybox");
  assert.match(made.text, /"aux"/);
});
after(async () => engine?.[Symbol.asyncDispose]());

interface Event {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly timeNano: number;
}

async function events(filters: object, since = 1): Promise<readonly Event[]> {
  // A little later than now, so that what was just answered is told: until then it waits.
  const until = ((Date.now() + 20) / 1000).toFixed(3);
  const query = `since=${since}&until=${until}&filters=${encodeURIComponent(JSON.stringify(filters))}`;
  const { text } = await engine.client.call("GET", `/events?${query}`);
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Event);
}

const actions = (list: readonly Event[]) => list.map(({ Action }) => Action);

test("what happened before a stop or a kill -9 is told to who asks for it afterwards", async () => {
  const { Id } = await engine.client.json<{ Id: string }>("POST", "/containers/create?name=told", {
    Image: "busybox",
    Cmd: ["sleep", "1000"],
    Labels: { from: "before" },
    HostConfig: { NetworkMode: "none" },
  });
  await engine.client.json("POST", `/containers/${Id}/start`);
  await engine.stop();
  await engine.start();
  assert.deepEqual(actions(await events({ container: [Id] })), ["create", "start"]);
  await engine.client.json("POST", `/containers/${Id}/pause`);
  await delay(200);
  await engine.crash();
  await engine.start();
  await engine.client.json("POST", `/containers/${Id}/unpause`);
  const all = await events({ container: [Id] });
  assert.deepEqual(actions(all), ["create", "start", "pause", "unpause"]);
  assert.equal(all[0]?.Actor.Attributes["from"], "before");
  assert.equal(all[0]?.Actor.Attributes["name"], "told");
  for (const [index, { timeNano }] of all.entries())
    assert.ok(index === 0 || timeNano > (all[index - 1]?.timeNano ?? 0));
  await engine.client.json("DELETE", `/containers/${Id}?force=1`);
});

test("pruning is an event of its own, which says what it freed", async () => {
  await engine.client.json("POST", "/containers/create?name=pruned", {
    Image: "busybox",
    Cmd: ["true"],
    HostConfig: { NetworkMode: "none" },
  });
  for (const kind of ["containers", "networks", "volumes", "images"])
    await engine.client.json("POST", `/${kind}/prune`);
  const pruned = await events({ event: ["prune"] });
  assert.deepEqual(
    pruned.map(({ Type, Actor }) => [Type, Actor.ID, Object.keys(Actor.Attributes)]),
    ["container", "network", "volume", "image"].map((type) => [type, "", ["reclaimed"]]),
  );
});
