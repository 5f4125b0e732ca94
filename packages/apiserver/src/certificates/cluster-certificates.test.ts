import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { rm, stat } from "node:fs/promises";
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
