import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { findNetworkList, firstNetworkList, parseNetworkList, readNetworkFile } from "./configuration.ts";

describe("CNI configurations", () => {
  it("are lists, or one plugin that stands for a list", () => {
    const plugin = { type: "bridge", bridge: "b0", ipam: { type: "host-local" } };
    const list = { cniVersion: "1.0.0", name: "n", disableCheck: true, plugins: [plugin, { type: "portmap" }] };
    assert.deepEqual(parseNetworkList(JSON.stringify(list), "f"), {
      name: "n",
      cniVersion: "1.0.0",
      disableCheck: true,
      disableGC: false,
      plugins: list.plugins,
    });
    const single = { cniVersion: "0.3.1", name: "n", ...plugin };
    assert.deepEqual(parseNetworkList(JSON.stringify(single), "f").plugins, [single]);
  });

  it("speak the newest version that the file allows and that is known here", () => {
    const chosen = (versions: object): string => {
      return parseNetworkList(JSON.stringify({ name: "n", plugins: [{ type: "t" }], ...versions }), "f").cniVersion;
    };
    assert.equal(chosen({ cniVersion: "0.4.0" }), "0.4.0");
    assert.equal(chosen({ cniVersion: "0.4.0", cniVersions: ["1.0.0", "1.1.0", "7.0.0"] }), "1.1.0");
    assert.throws(() => chosen({ cniVersion: "0.2.0" }), { code: "Unsupported", message: /version 0\.2\.0/ });
    assert.throws(() => chosen({}), { code: "Unsupported", message: /version 0\.1\.0/ });
  });

  it("that make no sense are refused, whatever they hold", () => {
    const refused = (text: string, message: RegExp): void => {
      assert.throws(() => parseNetworkList(text, "10-x.conf"), { code: "InvalidArgument", message });
    };
    refused("{", /^CNI configuration 10-x\.conf: it is not JSON/);
    refused("[]", /not a JSON object/);
    refused('{"cniVersion":"1.0.0","plugins":[{"type":"t"}]}', /no valid name/);
    refused('{"cniVersion":"1.0.0","name":"a/b","plugins":[{"type":"t"}]}', /no valid name/);
    refused('{"cniVersion":"1.0.0","name":"n","plugins":[]}', /no plugins/);
    refused('{"cniVersion":"1.0.0","name":"n","plugins":[{"type":"../sh"}]}', /no valid type/);
    fc.assert(
      fc.property(fc.json(), (text) => {
        try {
          parseNetworkList(text, "f");
        } catch (error) {
          assert.match((error as { code: string }).code, /^(InvalidArgument|Unsupported)$/);
        }
      }),
    );
  });

  it("are found by name among the files of a directory, or by file", () => {
    const directory = mkdtempSync(join(tmpdir(), "boxship-cni-conf-"));
    try {
      const write = (file: string, name: string): void => {
        writeFileSync(join(directory, file), JSON.stringify({ cniVersion: "1.0.0", name, type: file }));
      };
      write("20-b.conf", "b");
      write("10-b.conf", "b");
      write("30-c.json", "c");
      writeFileSync(join(directory, "00-broken.conflist"), "{");
      write("ignored.txt", "d");
      assert.equal(findNetworkList(directory, "b").plugins[0]?.type, "10-b.conf");
      assert.equal(findNetworkList(directory, "c").plugins[0]?.type, "30-c.json");
      assert.throws(() => findNetworkList(directory, "d"), { code: "NotFound" });
      assert.throws(() => findNetworkList(join(directory, "absent"), "b"), { code: "NotFound" });
      assert.throws(() => firstNetworkList(directory), {
        code: "InvalidArgument",
        message: /^CNI configuration 00-br/,
      });
      rmSync(join(directory, "00-broken.conflist"));
      assert.equal(firstNetworkList(directory).plugins[0]?.type, "10-b.conf");
      assert.throws(() => firstNetworkList(join(directory, "absent")), { code: "NotFound" });
      assert.equal(readNetworkFile(directory, "20-b.conf").name, "b");
      assert.throws(() => readNetworkFile(directory, "99.conf"), { code: "NotFound" });
      assert.throws(() => readNetworkFile(directory, "../x.conf"), { code: "InvalidArgument" });
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
