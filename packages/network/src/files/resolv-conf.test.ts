import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { containerResolvers, formatResolvConf, internalResolvers, parseResolvConf } from "./resolv-conf.ts";

function withHost<T>(text: string, use: (path: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), "boxship-resolv-"));
  const path = join(directory, "resolv.conf");
  writeFileSync(path, text);
  try {
    return use(path);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

describe("resolver configurations", () => {
  it("are read as the C library reads them", () => {
    const text =
      "# one\nnameserver 10.0.0.1 # mine\n nameserver\tfe80::1%eth0\ndomain a\nsearch b c\noptions x y\noptions z\n";
    assert.deepEqual(parseResolvConf(text), {
      servers: ["10.0.0.1", "fe80::1%eth0"],
      search: ["b", "c"],
      options: ["x", "y", "z"],
    });
  });

  it("containers get the host's, without servers that only the host reaches", () => {
    withHost("nameserver 127.0.0.53\nnameserver 10.0.0.1\nnameserver ::1\nsearch corp\noptions edns0\n", (path) => {
      assert.deepEqual(containerResolvers(path, {}), { servers: ["10.0.0.1"], search: ["corp"], options: ["edns0"] });
      const given = { servers: ["1.1.1.1"], search: ["."], options: ["ndots:1"] };
      assert.deepEqual(containerResolvers(path, given), { servers: ["1.1.1.1"], search: [], options: ["ndots:1"] });
    });
  });

  it("public servers stand in where there is none", () => {
    const { servers } = withHost("nameserver 127.0.0.1\n", (path) => containerResolvers(path, {}));
    assert.ok(servers.length > 0 && servers.every((server) => !server.startsWith("127.")));
    assert.ok(containerResolvers("/nonexistent/resolv.conf", {}).servers.length > 0);
  });

  it("with a resolver of ours only that is named, and names without dots are tried first", () => {
    const text = withHost("nameserver 10.0.0.1\noptions edns0\n", (path) => {
      return formatResolvConf(internalResolvers(path, {}, "127.0.0.11"));
    });
    assert.equal(text.split("\n").slice(1).join("\n"), "nameserver 127.0.0.11\noptions edns0 ndots:0\n");
  });
});
