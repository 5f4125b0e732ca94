import assert from "node:assert/strict";
import { test } from "node:test";
import { checkTunDevice, outsidePrograms } from "./outside-network.ts";
import { requireProgram, userNamespaceObstacle } from "./programs.ts";

test("a missing program is named with its package", () => {
  assert.throws(() => requireProgram("no-such-program-here", "its-package"), {
    code: "FailedPrecondition",
    message: "an engine without root needs no-such-program-here, which is not installed",
    remedy: "install the package its-package, e.g. apt-get install its-package; or start the engine as root",
  });
});

test("no program is looked for where no outside is wanted", () => {
  assert.deepEqual(outsidePrograms("none"), []);
});

test("settings that forbid user namespaces are named with the command that changes them", () => {
  const settings = (values: Readonly<Record<string, string>>) =>
    userNamespaceObstacle((path) => values[path.slice(path.lastIndexOf("/") + 1)]);
  assert.equal(settings({}), undefined);
  assert.equal(settings({ max_user_namespaces: "100", unprivileged_userns_clone: "1" }), undefined);
  assert.equal(settings({ max_user_namespaces: "0" })?.reason, "user.max_user_namespaces is 0");
  assert.match(
    settings({ unprivileged_userns_clone: "0" })?.remedy ?? "",
    /sysctl -w kernel.unprivileged_userns_clone=1/,
  );
  assert.match(
    settings({ apparmor_restrict_unprivileged_userns: "1" })?.remedy ?? "",
    /sysctl -w kernel.apparmor_restrict_unprivileged_userns=0/,
  );
});

test("a device that cannot be opened is named with what helps", () => {
  assert.throws(() => checkTunDevice("/nonexistent/tun"), { code: "FailedPrecondition", remedy: /modprobe tun/ });
});
