import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readResult } from "./result.ts";

describe("CNI results", () => {
  it("have the addresses of the container's interface, and a gateway where a default route goes", () => {
    const result = {
      cniVersion: "1.1.0",
      interfaces: [
        { name: "cni0", mac: "02:00:00:00:00:01" },
        { name: "veth1", mac: "02:00:00:00:00:02" },
        { name: "eth0", mac: "02:00:00:00:00:03", sandbox: "/run/netns/x", mtu: 1400 },
      ],
      ips: [
        { address: "10.0.0.9/24", interface: 0 },
        { address: "10.0.0.5/24", gateway: "10.0.0.1", interface: 2 },
        { address: "10.9.0.5/24", gateway: "10.9.0.1", interface: 2 },
        { address: "fd00::5/64", gateway: "fd00::1", interface: 2 },
      ],
      routes: [{ dst: "0.0.0.0/0" }, { dst: "10.7.0.0/16", gw: "10.0.0.7" }],
      dns: { nameservers: ["10.0.0.53"], domain: "a.example", search: ["b.example", "a.example"] },
    };
    assert.deepEqual(readResult(result, "eth0"), {
      mac: "02:00:00:00:00:03",
      ipv4: { address: "10.0.0.5", prefixLength: 24, gateway: "10.0.0.1" },
      ipv6: { address: "fd00::5", prefixLength: 64 },
      hostLink: "cni0",
      dns: { nameservers: ["10.0.0.53"], search: ["a.example", "b.example"], options: [] },
    });
  });

  it("may say nothing", () => {
    assert.deepEqual(readResult({}, "eth0"), { mac: "", dns: { nameservers: [], search: [], options: [] } });
    const plain = {
      ips: [{ version: "4", address: "10.0.0.5/24", gateway: "10.0.0.1" }],
      routes: [{ dst: "0.0.0.0/0", gw: "10.0.0.2" }],
    };
    assert.deepEqual(readResult(plain, "eth0").ipv4, { address: "10.0.0.5", prefixLength: 24, gateway: "10.0.0.2" });
  });
});
