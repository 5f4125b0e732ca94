import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TestNamespace } from "../netlink/testing.ts";
import { Nftables, NftablesError } from "./nftables.ts";

describe("nftables", () => {
  it("keeps to the namespace it was opened in", () => {
    using _ = new TestNamespace();
    using outer = new Nftables();
    using _inner = new TestNamespace();
    using inner = new Nftables();
    outer.run("add table inet outer");
    assert.deepEqual(inner.list("list tables"), []);
    assert.equal(outer.list("list tables")[0]?.["table"]?.["name"], "outer");
  });

  it("applies all commands or none, and says what was wrong", () => {
    using _ = new TestNamespace();
    using nft = new Nftables();
    nft.run("add table inet t\nadd set inet t ports { type inet_service; }");
    const broken = "add element inet t ports { 80 }\nadd rule inet t absent accept";
    assert.throws(
      () => nft.run(broken),
      (error) => {
        assert.ok(error instanceof NftablesError);
        assert.match(error.message, /^nftables refused the change: .*No such file or directory/);
        assert.match(error.output, /\^/);
        return true;
      },
    );
    assert.equal(nft.list("list set inet t ports")[0]?.["set"]?.["elem"], undefined);
    nft.run("add element inet t ports { 80, 443 }");
    assert.deepEqual(nft.list("list set inet t ports")[0]?.["set"]?.["elem"], [80, 443]);
    assert.throws(() => nft.run("this is no command"), { code: "InvalidArgument", message: /refused the change: ./ });
  });

  it("prints text and is not used after its end", () => {
    using _ = new TestNamespace();
    const nft = new Nftables();
    nft.run("add table inet t");
    assert.equal(nft.run("list tables"), "table inet t\n");
    nft[Symbol.dispose]();
    nft[Symbol.dispose]();
    assert.throws(() => nft.run("list tables"), /closed/);
  });
});
