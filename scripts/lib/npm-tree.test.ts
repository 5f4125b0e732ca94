import assert from "node:assert/strict";
import { test } from "node:test";
import { missingPlatforms } from "./npm-tree.ts";

test("platform packages that the lock file lacks are made from their names", () => {
  const lock = {
    packages: {
      "node_modules/tool": {
        dev: true,
        optionalDependencies: {
          "@tool/linux-x64-musl": "1.2.3",
          "@tool/binding-linux-arm-gnueabihf": "1.2.3",
          "@tool/darwin-arm64": "1.2.3",
          "@tool/linux-x64": "1.2.3",
          "optional-helper": "1.0.0",
        },
      },
      "node_modules/@tool/linux-x64": { version: "1.2.3", os: ["linux"], cpu: ["x64"] },
    },
  };
  const common = { version: "1.2.3", dev: true, optional: true };
  assert.deepEqual(missingPlatforms(lock), {
    "node_modules/@tool/linux-x64-musl": { ...common, os: ["linux"], cpu: ["x64"], libc: ["musl"] },
    "node_modules/@tool/binding-linux-arm-gnueabihf": { ...common, os: ["linux"], cpu: ["arm"], libc: ["glibc"] },
    "node_modules/@tool/darwin-arm64": { ...common, os: ["darwin"], cpu: ["arm64"] },
  });
});
