import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidArgument } from "@boxship/base";
import { isRecursive, mountStatus } from "./recursive-read-only.ts";

test("what is below a read-only mount is read-only if that is asked for and possible, or refused where it must be", () => {
  const mount = { name: "v", mountPath: "/v", readOnly: true };
  const [enabled, possible] = ["Enabled", "IfPossible"].map((recursiveReadOnly) => ({ ...mount, recursiveReadOnly }));
  assert.ok(enabled !== undefined && possible !== undefined);
  assert.deepEqual(
    [mount, enabled, possible].map((one) => isRecursive(one, true)),
    [false, true, true],
  );
  assert.equal(isRecursive(possible, false), false);
  const refused = (one: object, able: boolean, words: RegExp) =>
    assert.throws(() => isRecursive({ ...enabled, ...one }, able), { name: InvalidArgument.name, message: words });
  refused({}, false, /volume "v" requested recursive read-only mode, but it is not supported by the runtime$/);
  refused({ readOnly: false }, true, /but it is not read-only$/);
  refused({ mountPropagation: "HostToContainer" }, true, /not compatible with propagation "HostToContainer"$/);
  assert.deepEqual(mountStatus({ name: "v", mountPath: "/v" }, true), { name: "v", mountPath: "/v" });
  const told = (one: typeof mount, able: boolean) => mountStatus(one, able).recursiveReadOnly;
  assert.deepEqual(
    [told(mount, true), told(enabled, true), told(possible, false), told(enabled, false)],
    ["Disabled", "Enabled", "Disabled", "Disabled"],
  );
});
