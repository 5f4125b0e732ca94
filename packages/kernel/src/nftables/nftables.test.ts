import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, it } from "node:test";
import { NetlinkError } from "../netlink/message.ts";
import { TestNamespace } from "../netlink/testing.ts";
import type { NftCommand, NftSet } from "./command.ts";
import { encodeFields, portBytes } from "./fields.ts";
import { Nftables } from "./nftables.ts";
import { NftAddressType, NftBit, NftFamily } from "./statement.ts";

const table = { family: "inet", name: "t" } as const;
const ports: NftSet = { name: "ports", key: ["inet_service"] };

/** What nft(8) makes of the ruleset; it starts in the namespace of the calling thread. */
function nft(...words: string[]): string {
  return execFileSync("nft", words, { encoding: "utf8" });
}

function element(set: NftSet, values: readonly (string | number)[], rest: object = {}): NftCommand {
  return { verb: "add-element", table, set, element: { key: encodeFields(set.key, values), ...rest } };
}

describe("nftables", () => {
  it("keeps to the namespace it was opened in", () => {
    using _ = new TestNamespace();
    using outer = new Nftables();
    {
      using _inner = new TestNamespace();
      outer.run([{ verb: "add-table", table }]);
      assert.equal(nft("list", "tables"), "");
    }
    assert.equal(nft("list", "tables"), "table inet t\n");
  });

  it("applies all commands or none, and says what was wrong", () => {
    using _ = new TestNamespace();
    using nftables = new Nftables();
    nftables.run([]);
    nftables.run([
      { verb: "add-table", table },
      { verb: "add-set", table, set: ports },
    ]);
    const broken: NftCommand[] = [
      element(ports, [80]),
      { verb: "add-rule", table, chain: "absent", statements: [{ kind: "verdict", verdict: "accept" }] },
      element(ports, [81]),
    ];
    assert.throws(
      () => nftables.run(broken),
      (error) => {
        assert.ok(error instanceof NetlinkError);
        assert.equal(error.code, "ENOENT");
        assert.match(error.message, /nftables rule in chain absent of table inet t/);
        return true;
      },
    );
    assert.doesNotMatch(nft("list", "set", "inet", "t", "ports"), /elements/);
    nftables.run([element(ports, [443]), element(ports, [80])]);
    // What is there already is no mistake; what is not there cannot be deleted.
    nftables.run([element(ports, [80])]);
    assert.match(nft("list", "set", "inet", "t", "ports"), /elements = \{ 80, 443 \}/);
    const absent = { key: encodeFields(ports.key, [8]) };
    assert.throws(() => nftables.run([{ verb: "delete-element", table, set: ports, element: absent }]), {
      code: "ENOENT",
    });
    nftables.run([
      { verb: "delete-element", table, set: ports, element: { key: portBytes(80) } },
      { verb: "delete-element", table, set: ports, element: { key: portBytes(443) } },
    ]);
    assert.doesNotMatch(nft("list", "set", "inet", "t", "ports"), /elements/);
  });

  it("makes of statements what nft makes of its language", () => {
    const text = (key: string, value = ""): string => `table inet ${key} {${value}}`;
    using _ = new TestNamespace();
    using nftables = new Nftables();
    nftables.run(everything());
    const ours = nft("--numeric", "list", "table", "inet", "t");
    nft("delete", "table", "inet", "t");
    nft(text("t", WANTED));
    assert.equal(ours, nft("--numeric", "list", "table", "inet", "t"));
    // And the other way: what our commands say of elements fits sets that nft made.
    const addresses = { name: "addresses", key: ["ipv4_addr"], interval: true } as const;
    const range = {
      key: encodeFields(addresses.key, ["10.0.0.0"]),
      end: encodeFields(addresses.key, ["10.255.255.255"]),
    };
    nftables.run([{ verb: "delete-element", table, set: addresses, element: range }]);
    assert.doesNotMatch(nft("list", "set", "inet", "t", "addresses"), /10\.0/);
  });

  it("moves thousands of elements in one transaction", () => {
    using _ = new TestNamespace();
    using nftables = new Nftables();
    const many: NftSet = { name: "many", key: ["inet_proto", "inet_service"] };
    nftables.run([
      { verb: "add-table", table },
      { verb: "add-set", table, set: many },
      { verb: "add-set", table, set: ports },
      element(ports, [1]),
      ...Array.from({ length: 20_000 }, (_value, index) => element(many, [6, index + 1])),
      element(ports, [2]),
    ]);
    assert.equal(nft("list", "set", "inet", "t", "many").match(/tcp \. \d+/g)?.length, 20_000);
    assert.match(nft("list", "set", "inet", "t", "ports"), /elements = \{ 1, 2 \}/);
  });

  it("lists elements, those that rules added too", () => {
    using _ = new TestNamespace();
    using nftables = new Nftables();
    const map: NftSet = { name: "map", key: ["inet_service"], data: ["ipv4_addr"] };
    const data = encodeFields(["ipv4_addr"], ["10.0.0.2"]);
    nftables.run([
      { verb: "add-table", table },
      { verb: "add-set", table, set: map },
      ...Array.from({ length: 3000 }, (_value, index) => element(map, [index + 1], { data })),
    ]);
    const listed = nftables.listElements(table, "map");
    assert.equal(new Set(listed.map(({ key }) => key.readUInt16BE())).size, 3000);
    assert.ok(listed.every((one) => one.data?.equals(data)));
  });

  it("lists the base chains of every table, iptables' ones too, and does not mind what else there is", () => {
    using _ = new TestNamespace();
    nft(`
      table ip filter {
        chain FORWARD { type filter hook forward priority 0; policy drop; }
        chain other {}
      }
      table bridge b { chain c { type filter hook input priority 0; policy accept; }; }
      table inet odd {
        map m { type ipv4_addr . inet_service : verdict; flags interval; elements = { 10.0.0.0/8 . 1-9 : drop }; }
      }
    `);
    using nftables = new Nftables();
    assert.deepEqual(nftables.listBaseChains(), [
      { family: "ip", table: "filter", chain: "FORWARD", hook: "forward", policy: "drop" },
      { family: "bridge", table: "b", chain: "c", hook: "1", policy: "accept" },
    ]);
  });

  it("is not used after its end", () => {
    const nftables = new Nftables();
    nftables[Symbol.dispose]();
    assert.throws(() => nftables.listBaseChains(), /closed/);
  });
});

const SETS = {
  links: { name: "links", key: ["ifname"] },
  addresses: { name: "addresses", key: ["ipv4_addr"], interval: true },
  behind: { name: "behind", key: ["ifname", "ipv6_addr"], interval: true },
  published: { name: "published", key: ["inet_proto", "inet_service"], data: ["ipv4_addr", "inet_service"] },
  published6: {
    name: "published6",
    key: ["inet_proto", "ipv6_addr", "inet_service"],
    data: ["ipv6_addr", "inet_service"],
  },
  leads: { name: "leads", key: ["ipv4_addr", "inet_proto", "inet_service"], data: "verdict" },
  clients: { name: "clients", key: ["ipv4_addr", "ipv4_addr"], data: ["ipv4_addr", "inet_service"], dynamic: 1000 },
} as const satisfies Record<string, NftSet>;

const WANTED = `
  set links { type ifname; elements = { "eth0" } }
  set addresses { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 11.0.0.0/8, 255.255.0.0/16 } }
  set behind { type ifname . ipv6_addr; flags interval; elements = { "eth0" . fd00::/64 } }
  map published { type inet_proto . inet_service : ipv4_addr . inet_service; elements = { tcp . 80 : 10.0.0.2 . 8080 } }
  map published6 {
    type inet_proto . ipv6_addr . inet_service : ipv6_addr . inet_service
    elements = { udp . fd00::1 . 53 : fd00::2 . 5353 }
  }
  map leads { type ipv4_addr . inet_proto . inet_service : verdict; elements = { 10.0.0.1 . tcp . 80 : goto refuse } }
  map clients { type ipv4_addr . ipv4_addr : ipv4_addr . inet_service; size 1000; flags dynamic,timeout; }
  chain refuse {
    meta l4proto tcp reject with tcp reset
    reject with icmpx type port-unreachable
  }
  chain lead {
    meta nfproto ipv4 ip daddr . meta l4proto . th dport vmap @leads
    meta mark set meta mark | 0x00004000
    meta nfproto ipv4 update @clients { ip saddr . ct original ip daddr timeout 10m : ip daddr . th dport }
  }
  chain source {
    meta nfproto ipv4 snat ip to ip saddr
  }
  chain side {
    meta nfproto ipv4 dnat ip to meta l4proto . th dport map @published
    meta nfproto ipv6 dnat ip6 to meta l4proto . ip6 daddr . th dport map @published6
  }
  chain first {
    type filter hook prerouting priority -300; policy accept;
    iifname @links ip daddr 127.0.0.0/8 drop
    ip saddr @addresses return
    oifname . ip6 saddr @behind accept
    ct state established,related accept
    ct status dnat accept
    fib daddr . iif type local accept
    udp dport 53 udp dport set 5353
    ip saddr 127.0.0.11 tcp sport 5353 tcp sport set 53
  }
  chain nat {
    type nat hook prerouting priority -100; policy accept;
    fib daddr type multicast jump side
  }
  chain last {
    type nat hook postrouting priority 100; policy accept;
    masquerade
  }
`;

function everything(): NftCommand[] {
  const { links, addresses, behind, published, published6, leads } = SETS;
  const key = (set: NftSet, ...values: (string | number)[]) => encodeFields(set.key, values);
  const rule = (chain: string, ...statements: Extract<NftCommand, { verb: "add-rule" }>["statements"]): NftCommand => ({
    verb: "add-rule",
    table,
    chain,
    statements,
  });
  const accept = { kind: "verdict", verdict: "accept" } as const;
  const ipv4 = { kind: "equals", selector: "meta nfproto", value: NftFamily.ipv4 } as const;
  const ipv6 = { kind: "equals", selector: "meta nfproto", value: NftFamily.ipv6 } as const;
  const udp = { kind: "equals", selector: "meta l4proto", value: Buffer.of(17) } as const;
  const tcp = { kind: "equals", selector: "meta l4proto", value: Buffer.of(6) } as const;
  return [
    { verb: "add-table", table },
    ...Object.values(SETS).map((set): NftCommand => ({ verb: "add-set", table, set })),
    element(links, ["eth0"]),
    element(addresses, ["10.0.0.0"], { end: key(addresses, "10.255.255.255") }),
    element(addresses, ["11.0.0.0"], { end: key(addresses, "11.255.255.255") }),
    element(addresses, ["255.255.0.0"], { end: key(addresses, "255.255.255.255") }),
    element(behind, ["eth0", "fd00::"], { end: key(behind, "eth0", "fd00::ffff:ffff:ffff:ffff") }),
    element(published, [6, 80], { data: encodeFields(published.data, ["10.0.0.2", 8080]) }),
    element(published6, [17, "fd00::1", 53], { data: encodeFields(published6.data, ["fd00::2", 5353]) }),
    { verb: "add-chain", table, chain: "refuse" },
    rule("refuse", tcp, { kind: "reject", by: "tcp" }),
    rule("refuse", { kind: "reject", by: "icmp" }),
    element(leads, ["10.0.0.1", 6, 80], { goto: "refuse" }),
    { verb: "add-chain", table, chain: "lead" },
    rule("lead", ipv4, { kind: "goto-mapped", selectors: ["ip daddr", "meta l4proto", "th dport"], map: "leads" }),
    rule("lead", { kind: "add-mark", bits: 0x4000 }),
    rule("lead", ipv4, {
      kind: "remember",
      selectors: ["ip saddr", "ct original ip daddr"],
      data: ["ip daddr", "th dport"],
      map: "clients",
      seconds: 600,
    }),
    { verb: "add-chain", table, chain: "source" },
    rule("source", ipv4, { kind: "keep-source", family: "ip" }),
    { verb: "add-chain", table, chain: "side" },
    rule("side", ipv4, {
      kind: "translate",
      family: "ip",
      selectors: ["meta l4proto", "th dport"],
      map: "published",
    }),
    rule("side", ipv6, {
      kind: "translate",
      family: "ip6",
      selectors: ["meta l4proto", "ip6 daddr", "th dport"],
      map: "published6",
    }),
    { verb: "add-chain", table, chain: "first", base: { type: "filter", hook: "prerouting", priority: -300 } },
    rule(
      "first",
      { kind: "member", selectors: ["iifname"], set: "links" },
      ipv4,
      { kind: "equals", selector: "ip daddr/8", value: Buffer.of(127) },
      { kind: "verdict", verdict: "drop" },
    ),
    rule(
      "first",
      ipv4,
      { kind: "member", selectors: ["ip saddr"], set: "addresses" },
      {
        kind: "verdict",
        verdict: "return",
      },
    ),
    rule("first", ipv6, { kind: "member", selectors: ["oifname", "ip6 saddr"], set: "behind" }, accept),
    rule("first", { kind: "any-bit", selector: "ct state", bits: NftBit.established | NftBit.related }, accept),
    rule("first", { kind: "any-bit", selector: "ct status", bits: NftBit.destinationTranslated }, accept),
    rule("first", { kind: "equals", selector: "fib daddr . iif type", value: NftAddressType.local }, accept),
    rule(
      "first",
      udp,
      { kind: "equals", selector: "th dport", value: portBytes(53) },
      { kind: "set-port", selector: "th dport", protocol: "udp", value: portBytes(5353) },
    ),
    rule(
      "first",
      ipv4,
      { kind: "equals", selector: "ip saddr", value: Buffer.of(127, 0, 0, 11) },
      tcp,
      { kind: "equals", selector: "th sport", value: portBytes(5353) },
      { kind: "set-port", selector: "th sport", protocol: "tcp", value: portBytes(53) },
    ),
    { verb: "add-chain", table, chain: "nat", base: { type: "nat", hook: "prerouting", priority: -100 } },
    rule(
      "nat",
      { kind: "equals", selector: "fib daddr type", value: NftAddressType.multicast },
      {
        kind: "jump",
        chain: "side",
      },
    ),
    { verb: "add-chain", table, chain: "last", base: { type: "nat", hook: "postrouting", priority: 100 } },
    rule("last", { kind: "masquerade" }),
  ];
}
