import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidArgument } from "@boxship/base";
import type { RestartPolicy } from "./config.ts";
import { checkRestartPolicy, nextDelay, shouldRestart, shouldStartOnBoot } from "./restart-policy.ts";

const policy = (name: RestartPolicy["name"], maximumRetryCount = 0): RestartPolicy => ({ name, maximumRetryCount });
const ask = (over: Partial<Parameters<typeof shouldRestart>[0]>) =>
  shouldRestart({ policy: policy("no"), exitCode: 1, stoppedByUser: false, restartCount: 0, ...over });

test("each policy restarts what it promises", () => {
  assert.equal(ask({}), false);
  assert.equal(ask({ policy: policy("always"), exitCode: 0 }), true);
  assert.equal(ask({ policy: policy("always"), stoppedByUser: true }), false);
  assert.equal(ask({ policy: policy("unless-stopped"), exitCode: 0 }), true);
  assert.equal(ask({ policy: policy("on-failure"), exitCode: 0 }), false);
  assert.equal(ask({ policy: policy("on-failure", 2), restartCount: 1 }), true);
  assert.equal(ask({ policy: policy("on-failure", 2), restartCount: 2 }), false);
});

test("at boot only `always` brings back what the user stopped", () => {
  const stopped = { exitCode: 0, stoppedByUser: true, restartCount: 0 };
  assert.equal(shouldStartOnBoot({ policy: policy("always"), ...stopped }), true);
  assert.equal(shouldStartOnBoot({ policy: policy("unless-stopped"), ...stopped }), false);
  assert.equal(shouldStartOnBoot({ policy: policy("on-failure"), ...stopped, exitCode: 1 }), false);
});

test("the delay doubles from 100 ms to a minute and starts over after a long run", () => {
  const delays: number[] = [];
  let delay: number | undefined;
  for (let i = 0; i < 12; i++) delays.push((delay = nextDelay(delay, 0)));
  assert.deepEqual(delays.slice(0, 4), [100, 200, 400, 800]);
  assert.equal(delays.at(-1), 60_000);
  assert.equal(nextDelay(delay, 10_000), 100);
});

test("policies that contradict themselves are refused", () => {
  assert.throws(() => checkRestartPolicy(policy("always", 3), false), InvalidArgument);
  assert.throws(() => checkRestartPolicy(policy("on-failure", -1), false), InvalidArgument);
  assert.throws(() => checkRestartPolicy(policy("always"), true), /AutoRemove/);
});
