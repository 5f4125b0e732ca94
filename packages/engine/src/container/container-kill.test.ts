import assert from "node:assert/strict";
import { test } from "node:test";
import { stopSignalOf } from "./container-kill.ts";
import type { ContainerRecord } from "./record.ts";

test("a container stops by its signal, or by SIGTERM where its image names none that there is", () => {
  const signalOf = (stopSignal?: string) => stopSignalOf({ effective: { stopSignal } as ContainerRecord["effective"] });
  assert.deepEqual(["SIGQUIT", "3", undefined, "", "NOPE", "SIGNOPE"].map(signalOf), [3, 3, 15, 15, 15, 15]);
});
