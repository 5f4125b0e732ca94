import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { formatPrefix, overlaps, parsePrefix } from "../ip/prefix.ts";
import { checkPools, chooseSubnet, DefaultPools, type TakenPrefix, uniqueLocalPool } from "./choose-subnet.ts";

describe("subnets for networks", () => {
  it("follow each other as Docker's do", () => {
    const taken: TakenPrefix[] = [];
    const chosen = Array.from({ length: 17 }, () => {
      const subnet = chooseSubnet(DefaultPools, 4, taken);
      taken.push({ ...subnet, by: "us" });
      return formatPrefix(subnet);
    });
    assert.deepEqual(chosen.slice(0, 2), ["172.17.0.0/16", "172.18.0.0/16"]);
    assert.deepEqual(chosen.slice(-3), ["172.31.0.0/16", "192.168.0.0/20", "192.168.16.0/20"]);
  });

  it("never overlap what is taken, until there are none", () => {
    const pools = [
      { base: "10.0.0.0/22", size: 24 },
      { base: "fd00::/62", size: 64 },
    ];
    const obstacle = fc
      .tuple(fc.integer({ min: 20, max: 32 }), fc.nat(2047))
      .map(([length, offset]) => parsePrefix(`10.0.${offset >> 8}.${offset & 255}/32`) && { length, offset });
    fc.assert(
      fc.property(fc.array(obstacle, { maxLength: 6 }), fc.constantFrom<4 | 6>(4, 6), (list, family) => {
        const taken = list.map(({ length, offset }): TakenPrefix => {
          const base = parsePrefix("10.0.0.0/21").value + BigInt(offset);
          const host = BigInt(32 - length);
          return { family: 4, length, value: (base >> host) << host, by: "an obstacle" };
        });
        try {
          for (;;) {
            const subnet = chooseSubnet(pools, family, taken);
            assert.ok(!taken.some((prefix) => overlaps(prefix, subnet)));
            taken.push({ ...subnet, by: "us" });
          }
        } catch (error) {
          assert.equal((error as { code?: string }).code, "ResourceExhausted");
        }
      }),
    );
  });

  it("steps over an obstacle that is larger than the pool", () => {
    const all = { ...parsePrefix("0.0.0.0/0"), by: "a route of the host by tun0" };
    const pools = [
      { base: "10.0.0.0/8", size: 24 },
      { base: "fd00::/48", size: 64 },
    ];
    assert.throws(() => chooseSubnet(pools, 4, [all]), {
      code: "ResourceExhausted",
      message: "all predefined IPv4 address pools have been fully subnetted: 10.0.0.0/8 by a route of the host by tun0",
      remedy: /set addressPools in the configuration file/,
    });
    assert.throws(() => chooseSubnet([], 6, []), { message: /subnetted: none is configured/ });
  });

  it("pools from which nothing can be cut are refused", () => {
    assert.deepEqual(checkPools(DefaultPools), DefaultPools);
    for (const pool of [
      { base: "10.0.0.0/8", size: 7 },
      { base: "10.0.0.0/8", size: 31 },
      { base: "10.0.0.0/8", size: 24.5 },
      { base: "10.0.0.1/8", size: 24 },
      { base: "ten", size: 24 },
    ]) {
      assert.throws(() => checkPools([pool]), { code: "InvalidArgument" });
    }
  });

  it("the IPv6 pool is stable, local and differs between instances", () => {
    const pool = uniqueLocalPool("machine", "a");
    assert.deepEqual(uniqueLocalPool("machine", "a"), pool);
    assert.notDeepEqual(uniqueLocalPool("machine", "b"), pool);
    assert.match(formatPrefix(chooseSubnet([pool], 6, [])), /^fd[0-9a-f:]+::\/64$/);
  });
});
