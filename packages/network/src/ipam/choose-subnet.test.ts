import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { formatPrefix, overlaps, parsePrefix } from "../ip/prefix.ts";
import { chooseSubnet, DefaultPools, uniqueLocalPool } from "./choose-subnet.ts";

describe("subnets for networks", () => {
  it("follow each other as Docker's do", () => {
    const taken: ReturnType<typeof parsePrefix>[] = [];
    const chosen = Array.from({ length: 17 }, () => {
      const subnet = chooseSubnet(DefaultPools, 4, taken);
      taken.push(subnet);
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
        const taken = list.map(({ length, offset }) => {
          const base = parsePrefix("10.0.0.0/21").value + BigInt(offset);
          const host = BigInt(32 - length);
          return { family: 4 as const, length, value: (base >> host) << host };
        });
        try {
          for (;;) {
            const subnet = chooseSubnet(pools, family, taken);
            assert.ok(!taken.some((prefix) => overlaps(prefix, subnet)));
            taken.push(subnet as (typeof taken)[number]);
          }
        } catch (error) {
          assert.equal((error as { code?: string }).code, "ResourceExhausted");
        }
      }),
    );
  });

  it("steps over an obstacle that is larger than the pool", () => {
    assert.throws(() => chooseSubnet([{ base: "10.0.0.0/8", size: 24 }], 4, [parsePrefix("0.0.0.0/0")]), {
      code: "ResourceExhausted",
    });
  });

  it("the IPv6 pool is stable, local and differs between instances", () => {
    const pool = uniqueLocalPool("machine", "a");
    assert.deepEqual(uniqueLocalPool("machine", "a"), pool);
    assert.notDeepEqual(uniqueLocalPool("machine", "b"), pool);
    assert.match(formatPrefix(chooseSubnet([pool], 6, [])), /^fd[0-9a-f:]+::\/64$/);
  });
});
