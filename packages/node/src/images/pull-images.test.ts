import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock, Unavailable } from "@boxship/base";
import type { Pod } from "../types.ts";
import { PullImages } from "./pull-images.ts";

test("a registry that is away is asked again after 10 s, 20 s and so on, wherever the clock is set meanwhile", async () => {
  const clock = new FakeClock(1_000_000);
  const told: string[] = [];
  let isAway = true;
  let isPresent = false;
  const pulls = new PullImages({
    cri: {
      imageStatus: () => Promise.resolve(isPresent ? { image: { id: "id", username: "" } } : {}),
      pullImage: () => {
        if (isAway) return Promise.reject(new Unavailable("registry r.test cannot be reached"));
        isPresent = true;
        return Promise.resolve({ imageRef: "id" });
      },
    } as unknown as ConstructorParameters<typeof PullImages>[0]["cri"],
    objects: { get: () => Promise.resolve(undefined) },
    clock,
    pulled: { pulled: () => Promise.resolve(), touch: () => Promise.resolve() },
  });
  const pod = { metadata: { name: "p", uid: "u" }, spec: { containers: [] } } as unknown as Pod;
  const container = { name: "c", image: "r.test/app:1" };
  const get = async () => {
    try {
      return await pulls.get(pod, container, (_, reason) => told.push(reason));
    } catch (error) {
      return (error as { reason: string }).reason;
    }
  };
  for (const jump of [-7_200_000, 3_600_000]) {
    assert.equal(await get(), "ErrImagePull");
    assert.equal(await get(), "ImagePullBackOff");
    const wait = pulls.waitOf(pod, container);
    clock.jump(jump);
    assert.equal(pulls.waitOf(pod, container), wait);
    assert.equal(await get(), "ImagePullBackOff");
    await clock.advance(wait);
  }
  isAway = false;
  assert.deepEqual(await get(), { id: "id", uid: undefined, username: "" });
  assert.deepEqual(told.slice(-2), ["Pulling", "Pulled"]);
});
