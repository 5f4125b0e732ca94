import assert from "node:assert/strict";
import { test } from "node:test";
import { ownsRepository, parseRole } from "./role.ts";

test("roles that would not hold are refused", () => {
  const refuse = (request: object, message: RegExp) =>
    assert.throws(() => parseRole({ name: "ci", role: "confined", ...request }), { code: "InvalidArgument", message });
  refuse({ name: "../x" }, /invalid socket name/);
  refuse({ role: "root" }, /unknown role "root"/);
  refuse({ label: "team" }, /not KEY=VALUE/);
  refuse({ mounts: ["relative"] }, /cannot be an allowed mount/);
  refuse({ mounts: ["/"] }, /cannot be an allowed mount/);
  refuse({ mounts: ["/a/.."] }, /cannot be an allowed mount/);
  refuse({ mounts: ["/srv", "/srv/ci/"] }, /\/srv\/ci is below \/srv/);
  refuse({ images: ["UPPER"] }, /invalid image pattern/);
});

test("images are owned by repository, in full", () => {
  const role = parseRole({ name: "ci", role: "confined", images: ["ci/*", "tool", "127.0.0.1:5000/x"] });
  const owned = ["docker.io/ci/app", "docker.io/ci/a/b", "docker.io/library/tool", "127.0.0.1:5000/x"];
  const foreign = ["docker.io/ci", "docker.io/cia/x", "docker.io/library/toolbox", "127.0.0.1:5000/x/y", "evil/ci/x"];
  assert.deepEqual(
    owned.filter((name) => !ownsRepository(role, name)),
    [],
  );
  assert.deepEqual(
    foreign.filter((name) => ownsRepository(role, name)),
    [],
  );
});
