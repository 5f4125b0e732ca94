import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@boxship/base";
import type { Pod } from "../types.ts";
import { PodTokens } from "./pod-tokens.ts";

const HOUR = 3600 * 1000;

test("a token is handed out until it nears its end, and none of a time that is still to come", async () => {
  const clock = new FakeClock(1000 * HOUR);
  let made = 0;
  const postRaw = (async (_path: string, { spec }: { spec: { expirationSeconds: number } }) => ({
    status: {
      token: `token ${++made}`,
      expirationTimestamp: new Date(clock.now() + spec.expirationSeconds * 1000).toISOString(),
    },
  })) as unknown as ConstructorParameters<typeof PodTokens>[0]["postRaw"];
  const tokens = new PodTokens({ postRaw }, clock);
  const pod: Pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", namespace: "n", uid: "u" },
    spec: { containers: [] },
  };
  const get = () => tokens.get(pod, { audience: undefined, seconds: 3600 });
  assert.equal(await get(), "token 1");
  await clock.advance(0.7 * HOUR);
  assert.equal(await get(), "token 1");
  await clock.advance(0.2 * HOUR);
  assert.equal(await get(), "token 2");
  clock.jump(-5 * HOUR);
  assert.equal(await get(), "token 3", "the second begins to be good hours from now");
  assert.equal(await get(), "token 3");
  clock.jump(5 * HOUR);
  assert.equal(await get(), "token 4", "the third has run out");
  tokens.forget("u");
  assert.equal(await get(), "token 5");
});
