import { createPublicKey, type KeyObject } from "node:crypto";
import { errorMessage, InvalidArgument, Unsupported } from "@boxship/base";

/** @param name of the file, for errors @throws InvalidArgument if it is no public key; Unsupported for another kind */
export function readPublicKey(pem: string | Uint8Array, name: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPublicKey(Buffer.from(pem as Uint8Array));
  } catch (error) {
    throw new InvalidArgument(`${name} is no public key: ${errorMessage(error)}`, {
      cause: error,
      subject: { kind: "key", name },
    });
  }
  const type = key.asymmetricKeyType;
  if (type === "ec" || type === "rsa" || type === "ed25519") return key;
  throw new Unsupported(`${name}: keys of type ${type ?? "unknown"} are not supported`);
}
