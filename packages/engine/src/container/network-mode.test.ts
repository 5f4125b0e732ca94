import assert from "node:assert/strict";
import { test } from "node:test";
import { checkNetworkOptions } from "./network-mode.ts";

test("the network's kernel parameters need a network of the container's own", () => {
  const sysctls = { "net.ipv4.ip_forward": "0" };
  const withSlashes = { "net/ipv4/ip_forward": "0" };
  for (const given of [sysctls, withSlashes]) {
    assert.throws(() => checkNetworkOptions({ kind: "host" }, { sysctls: given }), {
      message: 'sysctl "net.ipv4.ip_forward" not allowed in host network namespace',
    });
    assert.throws(() => checkNetworkOptions({ kind: "container", ref: "other" }, { sysctls: given }), {
      message: 'conflicting options: sysctl "net.ipv4.ip_forward" and the container type network mode',
    });
    checkNetworkOptions({ kind: "network", name: "bridge" }, { sysctls: given });
  }
  checkNetworkOptions({ kind: "host" }, { sysctls: { "kernel.shmmax": "1" } });
});

test("who joins another's network has its name, too", () => {
  assert.throws(() => checkNetworkOptions({ kind: "container", ref: "other" }, {}, { hostname: "own" }), {
    message: "conflicting options: hostname and the network mode",
  });
  checkNetworkOptions({ kind: "host" }, {}, { hostname: "own" });
});
