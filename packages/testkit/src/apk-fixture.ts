import { createHash, createSign, generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { makeTar, type TarEntry } from "./tar-fixture.ts";

export interface ApkFixture {
  readonly name: string;
  /** @default "1.0-r0" */
  readonly version?: string;
  readonly files?: readonly TarEntry[];
  /** Further lines of its entry in the index, such as `D:musl`. */
  readonly index?: readonly string[];
  /** Further lines of `.PKGINFO`. */
  readonly info?: readonly string[];
  /** By name, such as `.post-install`. */
  readonly scripts?: Readonly<Record<string, string>>;
}

/** A segment of a package: an archive without an end-of-archive mark. */
const cut = (entries: readonly TarEntry[]) => gzipSync(makeTar(entries).subarray(0, -1024));
const sha = (algorithm: string, bytes: Uint8Array) => createHash(algorithm).update(bytes);

export class ApkKeyFixture {
  readonly name: string;
  readonly content: string;
  readonly #sign: (bytes: Uint8Array) => Buffer;

  constructor(name: string) {
    const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    this.name = name;
    this.content = publicKey.export({ type: "spki", format: "pem" });
    this.#sign = (bytes) => createSign("sha1").update(bytes).sign(privateKey);
  }

  /** Signed content, as abuild-sign makes it. */
  signed(bytes: Buffer): Buffer {
    return Buffer.concat([cut([{ name: `.SIGN.RSA.${this.name}`, content: this.#sign(bytes) }]), bytes]);
  }
}

/** The files of a repository by their names. */
export function apkRepository(packages: readonly ApkFixture[], key: ApkKeyFixture): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  const blocks = packages.map((one) => {
    const { name, version = "1.0-r0", files: members = [], index = [], info = [], scripts = {} } = one;
    const data = gzipSync(makeTar(members));
    const lines = [
      `pkgname = ${name}`,
      `pkgver = ${version}`,
      ...info,
      `datahash = ${sha("sha256", data).digest("hex")}`,
    ];
    const control = cut([
      { name: ".PKGINFO", content: `${lines.join("\n")}\n` },
      ...Object.entries(scripts).map(([script, content]) => ({ name: script, content, mode: 0o755 })),
    ]);
    files.set(`${name}-${version}.apk`, key.signed(Buffer.concat([control, data])));
    const checksum = `Q1${sha("sha1", control).digest("base64")}`;
    return [`C:${checksum}`, `P:${name}`, `V:${version}`, "A:x86_64", "t:1700000000", ...index].join("\n");
  });
  const index = makeTar([
    { name: "DESCRIPTION", content: "test" },
    { name: "APKINDEX", content: `${blocks.join("\n\n")}\n\n` },
  ]);
  files.set("APKINDEX.tar.gz", key.signed(gzipSync(index)));
  return files;
}

export interface ApkMirror extends AsyncDisposable {
  readonly address: string;
  /** What it serves, by path. */
  readonly files: Map<string, Buffer>;
}

export async function apkMirror(files: Map<string, Buffer>): Promise<ApkMirror> {
  const server = createServer(({ url = "" }, response) => {
    const content = files.get(url);
    response.writeHead(content === undefined ? 404 : 200).end(content);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    files,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
