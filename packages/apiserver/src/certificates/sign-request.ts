import { createPrivateKey } from "node:crypto";
import { errorMessage, InvalidArgument } from "@boxship/base";
import type { KeyUsageFlags } from "@peculiar/x509";
import { type KeyPair, library, serial, signingKey } from "./issue-certificate.ts";

/** A PKCS #10 request, as far as signers look at it. */
export interface RequestedCertificate {
  readonly commonName: string;
  readonly organizations: readonly string[];
  /** Alternative names by their sort: `dns`, `ip`, `email`, `url`, … */
  readonly names: readonly { readonly type: string; readonly value: string }[];
}

export interface SigningOptions {
  /** As `certificates.k8s.io` names them, e.g. `client auth`. */
  readonly usages: readonly string[];
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** @throws InvalidArgument for what is no request in PEM, or is not signed by its own key */
export async function readCertificateRequest(pem: string): Promise<RequestedCertificate> {
  const request = await parse(pem);
  const alternatives = (await library()).SubjectAlternativeNameExtension;
  const names = request.extensions.find((one) => one instanceof alternatives)?.names.toJSON() ?? [];
  return {
    commonName: request.subjectName.getField("CN")[0] ?? "",
    organizations: request.subjectName.getField("O"),
    names: names.map(({ type, value }) => ({ type, value })),
  };
}

async function parse(pem: string) {
  const { Pkcs10CertificateRequest } = await library();
  if (!pem.includes("-----BEGIN CERTIFICATE REQUEST-----")) {
    throw new InvalidArgument("unable to parse csr: PEM block type must be CERTIFICATE REQUEST");
  }
  try {
    const request = new Pkcs10CertificateRequest(pem);
    if (await request.verify()) return request;
  } catch (cause) {
    throw new InvalidArgument(`unable to parse csr: ${errorMessage(cause)}`, { cause });
  }
  throw new InvalidArgument("unable to parse csr: it is not signed by its own key");
}

/** The certificate for a request, in PEM: its subject, its names and its key, for these usages and no longer than that. */
export async function signCertificateRequest(
  authority: KeyPair,
  pem: string,
  options: SigningOptions,
): Promise<string> {
  const x509 = await library();
  const request = await parse(pem);
  const issuer = new x509.X509Certificate(authority.certificate);
  const names = request.extensions.find((one) => one instanceof x509.SubjectAlternativeNameExtension);
  const flags = x509.KeyUsageFlags;
  const [signs, enciphers] = ["digital signature", "key encipherment"].map((one) => options.usages.includes(one));
  const extension = (flag: KeyUsageFlags) => new x509.KeyUsagesExtension(flag, true);
  const single =
    signs === true ? [extension(flags.digitalSignature)] : enciphers === true ? [extension(flags.keyEncipherment)] : [];
  const both = [new x509.KeyUsagesExtension(flags.digitalSignature | flags.keyEncipherment, true)];
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: request.subjectName,
    issuer: issuer.subjectName,
    notBefore: new Date(options.notBefore),
    notAfter: new Date(Math.min(options.notAfter, issuer.notAfter.getTime())),
    publicKey: request.publicKey,
    signingKey: await signingKey(createPrivateKey(authority.key)),
    signingAlgorithm: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      ...(signs === true && enciphers === true ? both : single),
      new x509.ExtendedKeyUsageExtension(
        options.usages.flatMap((usage) => {
          if (usage === "client auth") return [x509.ExtendedKeyUsage.clientAuth];
          return usage === "server auth" ? [x509.ExtendedKeyUsage.serverAuth] : [];
        }),
      ),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
      ...(names === undefined ? [] : [names]),
    ],
  });
  return `${certificate.toString("pem").trimEnd()}\n`;
}
