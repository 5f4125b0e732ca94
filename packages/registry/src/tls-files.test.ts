import assert from "node:assert/strict";
import { once } from "node:events";
import { renameSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { connect } from "node:tls";
import { createLogger, InvalidArgument, silentLogger } from "@boxship/base";
import { runProgram, tempDir } from "@boxship/testkit";
import { listenForTest } from "./testing/registry-under-test.ts";
import { readTlsFiles, watchTlsFiles } from "./tls-files.ts";

async function certificate(name: string, directory: string): Promise<void> {
  const { status, stderr } = await runProgram([
    ..."openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj".split(" "),
    `/CN=${name}`,
    ...["-keyout", `${directory}/${name}.key`, "-out", `${directory}/${name}.pem`],
  ]);
  assert.equal(status, 0, stderr);
}

test("a renewed certificate is served without a new start, and a broken one is not", async () => {
  await using directory = tempDir("registry-tls");
  await certificate("first", directory.path);
  await certificate("second", directory.path);
  const files = { certificate: directory.join("first.pem"), key: directory.join("first.key") };
  await using under = await listenForTest({ tls: readTlsFiles(files) });
  const served = async (): Promise<unknown> => {
    const socket = connect({ port: under.port, host: "127.0.0.1", rejectUnauthorized: false });
    await once(socket, "secureConnect");
    const { subject } = socket.getPeerCertificate();
    socket.destroy();
    return subject.CN;
  };
  assert.equal(await served(), "first");
  const { promise: complained, resolve: complain } = Promise.withResolvers<string>();
  const { promise: renewed, resolve: renew } = Promise.withResolvers<void>();
  const logger = createLogger({ write: (line) => void (/stays what it was/.test(line) && complain(line)) });
  using _watching = watchTlsFiles(files, logger, (texts) => {
    under.registry.setTls(texts);
    renew();
  });
  writeFileSync(files.certificate, "nonsense");
  await complained;
  assert.equal(await served(), "first");
  renameSync(directory.join("second.key"), files.key);
  renameSync(directory.join("second.pem"), files.certificate);
  await renewed;
  assert.equal(await served(), "second");
  assert.throws(() => readTlsFiles({ ...files, key: directory.join("none") }), InvalidArgument);
  assert.throws(() => watchTlsFiles({ ...files, key: "/none/none" }, silentLogger, () => {}), InvalidArgument);
});
