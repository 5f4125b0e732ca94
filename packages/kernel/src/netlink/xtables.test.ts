import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { TestNamespace } from "./testing.ts";
import { legacyForwardDrops } from "./xtables.ts";

describe("iptables-legacy", () => {
  for (const [family, command] of [
    ["ipv4", "iptables-legacy"],
    ["ipv6", "ip6tables-legacy"],
  ] as const) {
    it(`${family}: the policy of FORWARD is read behind whatever rules there are`, (t) => {
      using _ = new TestNamespace();
      assert.equal(legacyForwardDrops(family), false);
      const run = (words: string): boolean => spawnSync(command, words.split(" ")).status === 0;
      if (!run("-P FORWARD DROP")) {
        t.skip(`${command} does not work here`);
        return;
      }
      assert.equal(legacyForwardDrops(family), true);
      assert.ok(run("-A FORWARD -i lo -j ACCEPT"));
      assert.ok(run("-A INPUT -p tcp --dport 80 -j ACCEPT"));
      assert.equal(legacyForwardDrops(family), true);
      assert.ok(run("-P FORWARD ACCEPT"));
      assert.equal(legacyForwardDrops(family), false);
    });
  }
});
