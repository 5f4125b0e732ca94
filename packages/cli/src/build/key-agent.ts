import { type KeyObject, sign } from "node:crypto";
import { Duplex } from "node:stream";
import { SshReader, sshNumber, sshString } from "./ssh-wire.ts";

/** The agent's side of its protocol (draft-ietf-sshm-ssh-agent) for keys that are read from files. */

const Message = { Failure: 5, RequestIdentities: 11, Identities: 12, SignRequest: 13, Signature: 14 } as const;
const SignFlag = { Sha256: 2, Sha512: 4 } as const;
const LARGEST = 256 << 10;

const CURVES: Readonly<Record<string, { readonly name: string; readonly hash: string }>> = {
  "P-256": { name: "nistp256", hash: "sha256" },
  "P-384": { name: "nistp384", hash: "sha384" },
  "P-521": { name: "nistp521", hash: "sha512" },
};

export interface AgentKey {
  readonly key: KeyObject;
  readonly comment: string;
}

interface Identity extends AgentKey {
  readonly blob: Buffer;
}

/** Shows its public keys and signs with the private ones; nothing else. */
export class KeyAgent {
  readonly #identities: readonly Identity[];

  constructor(keys: readonly AgentKey[]) {
    this.#identities = keys.map((key) => ({ ...key, blob: publicBlob(key.key) }));
  }

  connect(): Duplex {
    let buffered = Buffer.alloc(0);
    const stream: Duplex = new Duplex({
      read: () => {},
      write: (chunk: Buffer, _encoding, done) => {
        buffered = Buffer.concat([buffered, chunk]);
        while (buffered.length >= 4 && buffered.length >= 4 + buffered.readUInt32BE()) {
          const length = buffered.readUInt32BE();
          stream.push(sshString(this.#answer(buffered.subarray(4, 4 + length))));
          buffered = buffered.subarray(4 + length);
        }
        const tooLong = buffered.length >= 4 && buffered.readUInt32BE() > LARGEST;
        done(tooLong ? new Error("a message for the agent is too long") : null);
      },
      final: (done) => {
        stream.push(null);
        done();
      },
    });
    return stream;
  }

  #answer(request: Buffer): Buffer {
    try {
      if (request[0] === Message.RequestIdentities) return this.#list();
      if (request[0] === Message.SignRequest) return this.#sign(new SshReader(request.subarray(1)));
    } catch {
      // What cannot be read or signed is refused like what is not known.
    }
    return Buffer.from([Message.Failure]);
  }

  #list(): Buffer {
    const count = Buffer.alloc(4);
    count.writeUInt32BE(this.#identities.length);
    const each = this.#identities.map(({ blob, comment }) => [sshString(blob), sshString(comment)]);
    return Buffer.concat([Buffer.from([Message.Identities]), count, ...each.flat()]);
  }

  #sign(request: SshReader): Buffer {
    const [blob, data, flags] = [request.string(), request.string(), request.number()];
    const identity = this.#identities.find((known) => known.blob.equals(blob));
    if (identity === undefined) return Buffer.from([Message.Failure]);
    return Buffer.concat([Buffer.from([Message.Signature]), sshString(signature(identity.key, data, flags))]);
  }
}

/** The public half, as SSH writes it (RFC 4253, 5656, 8709). */
export function publicBlob(key: KeyObject): Buffer {
  const { kty = "", crv = "", n = "", e = "", x = "", y = "" } = key.export({ format: "jwk" });
  const bytes = (text: string) => Buffer.from(text, "base64url");
  if (kty === "RSA") return Buffer.concat([sshString("ssh-rsa"), sshNumber(bytes(e)), sshNumber(bytes(n))]);
  if (kty === "OKP") return Buffer.concat([sshString("ssh-ed25519"), sshString(bytes(x))]);
  const { name = "" } = CURVES[crv] ?? {};
  const point = Buffer.concat([Buffer.from([4]), bytes(x), bytes(y)]);
  return Buffer.concat([sshString(`ecdsa-sha2-${name}`), sshString(name), sshString(point)]);
}

function signature(key: KeyObject, data: Buffer, flags: number): Buffer {
  const { kty, crv = "" } = key.export({ format: "jwk" });
  if (kty === "OKP") return Buffer.concat([sshString("ssh-ed25519"), sshString(sign(null, data, key))]);
  if (kty === "RSA") {
    const [name, hash] =
      (flags & SignFlag.Sha512) !== 0
        ? ["rsa-sha2-512", "sha512"]
        : (flags & SignFlag.Sha256) !== 0
          ? ["rsa-sha2-256", "sha256"]
          : ["ssh-rsa", "sha1"];
    return Buffer.concat([sshString(name), sshString(sign(hash, data, key))]);
  }
  const { name = "", hash = "sha256" } = CURVES[crv] ?? {};
  const both = sign(hash, data, { key, dsaEncoding: "ieee-p1363" });
  const half = both.length / 2;
  const numbers = Buffer.concat([sshNumber(both.subarray(0, half)), sshNumber(both.subarray(half))]);
  return Buffer.concat([sshString(`ecdsa-sha2-${name}`), sshString(numbers)]);
}
