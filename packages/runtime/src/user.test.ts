import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { parseGroup, parsePasswd, resolveUser, resolveUserIn } from "./user.ts";

const PASSWD = `root:x:0:0:root:/root:/bin/sh
# comment
web:x:1000:1001:Web:/srv/web:/bin/sh
1005:x:2000:2000:a name made of digits:/digits:/bin/sh
broken line
nohome:x:77:77:::
`;
const GROUP = `root:x:0:
web:x:1001:
adm:x:4:web,root
video:x:44:web
empty:x:
`;
const files = { passwd: () => PASSWD, group: () => GROUP };
const resolve = (specification: string, add: readonly string[] = []) => resolveUserIn(specification, add, files);

describe("a user specification", () => {
  test("empty is root with its groups", () => {
    assert.deepEqual(resolve(""), { uid: 0, gid: 0, additionalGids: [0, 4], home: "/root" });
  });

  test("a name brings its primary and its other groups", () => {
    assert.deepEqual(resolve("web"), { uid: 1000, gid: 1001, additionalGids: [1001, 4, 44], home: "/srv/web" });
  });

  test("a number with an entry is that user", () => {
    assert.deepEqual(resolve("1000"), resolve("web"));
  });

  test("a number without an entry has group 0 and home /", () => {
    assert.deepEqual(resolve("4242"), { uid: 4242, gid: 0, additionalGids: [0], home: "/" });
  });

  test("an explicit group replaces all others", () => {
    assert.deepEqual(resolve("web:video"), { uid: 1000, gid: 44, additionalGids: [44], home: "/srv/web" });
    assert.deepEqual(resolve("web:777"), { uid: 1000, gid: 777, additionalGids: [777], home: "/srv/web" });
    assert.deepEqual(resolve(":adm"), { uid: 0, gid: 4, additionalGids: [4], home: "/root" });
  });

  test("the image's groups are a user's as a pod's policy says", () => {
    const groups = (specification: string, policy: "always" | "never") =>
      resolveUserIn(specification, ["900"], files, policy).additionalGids;
    assert.deepEqual(groups("1000:777", "always"), [777, 4, 44, 900]);
    assert.deepEqual(groups("web", "always"), [1001, 4, 44, 900]);
    assert.deepEqual(groups("web", "never"), [1001, 900]);
    assert.deepEqual(groups("1000:777", "never"), [777, 900]);
  });

  test("a name made of digits wins over the number", () => {
    assert.equal(resolve("1005").uid, 2000);
  });

  test("an empty home is /", () => {
    assert.equal(resolve("nohome").home, "/");
  });

  test("added groups by name and number, each once", () => {
    assert.deepEqual(resolve("web", ["video", "900", "root"]).additionalGids, [1001, 4, 44, 900, 0]);
  });

  test("what cannot be found is named", () => {
    assert.throws(() => resolve("nobody"), {
      message: "unable to find user nobody: no matching entries in passwd file",
    });
    assert.throws(() => resolve("web:none"), {
      message: "unable to find group none: no matching entries in group file",
    });
    assert.throws(() => resolve("web", ["none"]), /unable to find group none/);
    assert.throws(() => resolve("-1"), /unable to find user -1/);
    assert.throws(() => resolve("3000000000"), { message: "uids and gids must be in range 0-2147483647" });
  });
});

describe("passwd and group files", () => {
  test("with any content are read without failing, and good lines are found between bad ones", () => {
    const junk = fc
      .array(fc.string(), { maxLength: 5 })
      .map((lines) => lines.filter((line) => !line.startsWith("ok:")));
    fc.assert(
      fc.property(junk, junk, (above, below) => {
        const text = [...above, "ok:x:5:6::/home/ok:/bin/sh", ...below].join("\n");
        assert.deepEqual(
          parsePasswd(text).filter(({ name }) => name === "ok"),
          [{ name: "ok", uid: 5, gid: 6, home: "/home/ok" }],
        );
        parseGroup(text);
      }),
    );
  });
});

describe("the files of a root filesystem", () => {
  test("links stay inside it, and missing files are empty", () => {
    const base = mkdtempSync(join(tmpdir(), "boxship-user-"));
    try {
      const rootfs = join(base, "rootfs");
      mkdirSync(join(rootfs, "etc"), { recursive: true });
      assert.deepEqual(resolveUser(rootfs, ""), { uid: 0, gid: 0, additionalGids: [0], home: "/" });
      writeFileSync(join(base, "outside"), "evil:x:0:0::/:\n");
      symlinkSync("../../outside", join(rootfs, "etc/passwd"));
      assert.throws(() => resolveUser(rootfs, "evil"), /unable to find user evil/);
      writeFileSync(join(rootfs, "outside"), "inside:x:5:6::/in:\n");
      assert.deepEqual(resolveUser(rootfs, "inside"), { uid: 5, gid: 6, additionalGids: [6], home: "/in" });
      symlinkSync("/etc", join(rootfs, "etc/group"));
      assert.throws(() => resolveUser(rootfs, "inside:web"), /unable to find group web/);
    } finally {
      rmSync(base, { recursive: true });
    }
  });
});
