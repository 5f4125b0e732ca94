import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { appendFileSync, mkdirSync } from "node:fs";
import { copyFile, rm, stat } from "node:fs/promises";
import { test } from "node:test";
import { systemClock } from "@boxship/base";
import { tempDir } from "@boxship/testkit";
import { clusterCertificates } from "./cluster-certificates.ts";

const DAY = 24 * 3600 * 1000;

test("certificates are made again when names change, when they near their end, and when another authority signs", async () => {
  await using directory = tempDir();
  const pki = directory.join("pki");
  const open = (days: number, names: readonly string[] = []) =>
    clusterCertificates({
      directory: pki,
      clock: { ...systemClock, now: () => Date.now() + days * DAY },
      names,
      // Other tests make and remove networks meanwhile.
      addresses: () => ["192.0.2.1"],
      serviceAddress: "10.96.0.1",
    });
  const first = await open(0);
  assert.deepEqual(await open(1), first);
  const validTo = (pem: string): number => Date.parse(new X509Certificate(pem).validTo);
  const left = (validTo(first.server.certificate) - Date.now()) / DAY;

  const renamed = await open(1, ["api.example.com", "192.0.2.7"]);
  assert.notEqual(renamed.server.certificate, first.server.certificate);
  const names = new X509Certificate(renamed.server.certificate).subjectAltName ?? "";
  assert.match(names, /DNS:api\.example\.com.*IP Address:192\.0\.2\.7|IP Address:192\.0\.2\.7.*DNS:api\.example\.com/);
  assert.deepEqual([renamed.authority, renamed.admin], [first.authority, first.admin]);
  // Names that are not asked for any more do no harm.
  assert.equal((await open(1)).server.certificate, renamed.server.certificate);

  const late = await open(left - 20);
  for (const [now, before] of [
    [late.server, renamed.server],
    [late.admin, first.admin],
    [late.frontProxy.client, first.frontProxy.client],
  ] as const) {
    assert.notEqual(now.certificate, before.certificate);
    assert.ok(validTo(now.certificate) > validTo(before.certificate));
  }
  assert.equal(late.authority, first.authority, "who trusts the cluster goes on to");

  await rm(`${pki}/admin.key`);
  const lost = await open(left - 20);
  assert.notEqual(lost.admin.certificate, late.admin.certificate);
  assert.deepEqual(lost.server, late.server);
  // Between the two files of a pair the process was killed.
  await copyFile(`${pki}/apiserver.key`, `${pki}/admin.key`);
  const { admin: paired } = await open(left - 20);
  assert.ok(new X509Certificate(paired.certificate).checkPrivateKey(createPrivateKey(paired.key)));
  await rm(`${pki}/ca.crt`);
  const anew = await open(0);
  assert.ok(new X509Certificate(anew.server.certificate).checkIssued(new X509Certificate(anew.authority)));
  assert.notEqual(anew.authority, first.authority);
  const ahead = await open(20, ["ahead.example.com"]);
  const { server, admin } = await open(0);
  assert.notEqual(server.certificate, ahead.server.certificate);
  assert.ok(Date.parse(new X509Certificate(server.certificate).validFrom) <= Date.now(), "the clock was ahead");
  assert.equal(admin.certificate, anew.admin.certificate);
  assert.equal((await stat(`${pki}/ca.key`)).mode & 0o777, 0o600);
});

test("on a full disk a server has a certificate all the same", async () => {
  await using directory = tempDir();
  const disk = directory.join("disk");
  mkdirSync(disk);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=128k", "boxship", disk]);
  const open = (...names: string[]) =>
    clusterCertificates({ directory: `${disk}/pki`, clock: systemClock, names, addresses: () => ["192.0.2.1"] });
  const first = await open();
  assert.throws(
    () => {
      for (;;) appendFileSync(`${disk}/rest`, Buffer.alloc(4096));
    },
    { code: "ENOSPC" },
  );
  const named = await open("other.example.com");
  assert.match(new X509Certificate(named.server.certificate).subjectAltName ?? "", /DNS:other\.example\.com/);
  assert.deepEqual(named.admin, first.admin);
  assert.deepEqual(await open(), first, "what is on the disk is as it was");
});
