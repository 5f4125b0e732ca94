import { runProgram } from "./run-program.ts";
import type { TempDir } from "./temp-dir.ts";

/** An authority (`ca.pem`), and certificates of it for a server on loopback and for a client: `NAME.pem`, `NAME.key`. */
export async function etcdCertificates(directory: TempDir): Promise<void> {
  const at = (name: string) => directory.join(name);
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  await runProgram([
    "openssl",
    "req",
    "-x509",
    ...key,
    "-subj",
    "/CN=authority",
    "-keyout",
    at("ca.key"),
    "-out",
    at("ca.pem"),
  ]);
  for (const name of ["server", "client"]) {
    await runProgram([
      ...["openssl", "req", "-x509", ...key, "-subj", `/CN=${name}`, "-CA", at("ca.pem"), "-CAkey", at("ca.key")],
      ...["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"],
      ...["-keyout", at(`${name}.key`), "-out", at(`${name}.pem`)],
    ]);
  }
}
