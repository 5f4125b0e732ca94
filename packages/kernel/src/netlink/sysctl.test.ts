import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { networkSysctlPath, readNetworkSysctl, writeNetworkSysctl } from "./sysctl.ts";
import { TestNamespace } from "./testing.ts";

describe("network parameters", () => {
  it("belong to the namespace of the thread", () => {
    using _ = new TestNamespace();
    writeNetworkSysctl("net.ipv4.ip_forward", 1);
    assert.equal(readNetworkSysctl("net/ipv4/ip_forward"), "1");
    using _inner = new TestNamespace();
    assert.equal(readNetworkSysctl("net.ipv4.ip_unprivileged_port_start"), "1024");
    writeNetworkSysctl("net.ipv4.ip_unprivileged_port_start", 0);
    assert.equal(readNetworkSysctl("net.ipv4.ip_unprivileged_port_start"), "0");
  });

  it("swap separators as sysctl(8) does", () => {
    const path = "/proc/sys/net/ipv4/conf/eth0.5/forwarding";
    assert.equal(networkSysctlPath("net.ipv4.conf.eth0/5.forwarding"), path);
    assert.equal(networkSysctlPath("net/ipv4/conf/eth0.5/forwarding"), path);
  });

  it("refuses others, unknown ones and bad values", () => {
    for (const name of ["kernel.hostname", "net", "net/../kernel/hostname", "", "net..x"]) {
      assert.throws(() => networkSysctlPath(name), { code: "InvalidArgument" });
    }
    using _ = new TestNamespace();
    assert.throws(() => writeNetworkSysctl("net.ipv4.no_such", 1), { code: "NotFound" });
    assert.throws(() => writeNetworkSysctl("net.ipv4.ip_default_ttl", "many"), { code: "InvalidArgument" });
  });
});
