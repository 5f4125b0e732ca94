import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pod } from "../types.ts";
import { SysctlAllowlist } from "./sysctl-allowlist.ts";

test("pods set safe parameters and those that are allowed, of namespaces of their own", () => {
  const said = (list: SysctlAllowlist, name: string, more: object = {}) => {
    const spec = { containers: [], securityContext: { sysctls: [{ name, value: "1" }] }, ...more };
    return list.rejection({ spec } as unknown as Pod)?.message;
  };
  const safe = new SysctlAllowlist();
  for (const name of ["kernel.shm_rmid_forced", "net.ipv4.tcp_rmem", "net/ipv4/tcp_rmem"])
    assert.equal(said(safe, name), undefined);
  assert.equal(said(safe, "net/core/somaxconn"), 'forbidden sysctl: "net.core.somaxconn" not allowlisted');
  assert.equal(said(safe, "vm.swappiness"), 'forbidden sysctl: "vm.swappiness" not allowlisted');
  const onHost = said(safe, "net.ipv4.tcp_rmem", { hostNetwork: true });
  assert.equal(onHost, 'forbidden sysctl: "net.ipv4.tcp_rmem" not allowed with host Net enabled');
  const more = new SysctlAllowlist([
    "net.core.*",
    "kernel.msg*",
    "fs.mqueue.msg_max",
    "net/ipv4/conf/eth0.5/forwarding",
  ]);
  for (const name of ["net.core.somaxconn", "kernel.msgmax", "fs.mqueue.msg_max", "net/ipv4/conf/eth0.5/forwarding"])
    assert.equal(said(more, name), undefined, name);
  const withIpc = said(more, "kernel.msgmax", { hostIPC: true });
  assert.equal(withIpc, 'forbidden sysctl: "kernel.msgmax" not allowed with host IPC enabled');
  assert.match(said(more, "net.ipv4.ip_forward") ?? "", /not allowlisted$/);
  assert.throws(
    () => new SysctlAllowlist(["vm.*"]),
    /^InvalidArgument: the sysctls "vm\." are not known to be namespaced/,
  );
  for (const name of ["", "net.*.core", "Net.core"]) assert.throws(() => new SysctlAllowlist([name]), /is no name of/);
});
