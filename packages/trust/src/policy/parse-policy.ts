import { duplicateKey, errorMessage, InvalidArgument } from "@boxship/base";
import type { IdentityMatch, KeySource, Policy, Requirement } from "./policy.ts";

type Json = Readonly<Record<string, unknown>>;

/**
 * Reads a policy in the format of containers-policy.json(5). Everything unknown is an error: a requirement that is
 * overlooked is none.
 *
 * @param name of the file, for errors
 * @throws InvalidArgument
 */
export function parsePolicy(source: string, name: string): Policy {
  let document: unknown;
  try {
    document = JSON.parse(source);
  } catch (error) {
    throw new InvalidArgument(`policy ${name} is no JSON: ${errorMessage(error)}`, { cause: error });
  }
  const twice = duplicateKey(source);
  if (twice !== undefined) throw new InvalidArgument(`policy ${name} has the key ${JSON.stringify(twice)} twice`);
  return new PolicyParser(name).policy(document);
}

class PolicyParser {
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  #fail(at: string, problem: string): InvalidArgument {
    return new InvalidArgument(`policy ${this.#name}: ${at}: ${problem}`, {
      subject: { kind: "policy", name: this.#name },
    });
  }

  policy(value: unknown): Policy {
    const root = this.#object(value, "the file", ["default", "transports"]);
    const transports = this.#map(root["transports"] ?? {}, "transports", (scopes, at) =>
      this.#map(scopes, at, (requirements, inner) => this.#requirements(requirements, inner)),
    );
    return { name: this.#name, default: this.#requirements(root["default"], "default"), transports };
  }

  #object(value: unknown, at: string, known: readonly string[] | undefined): Json {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw this.#fail(at, "expected an object");
    const unknown = Object.keys(value).find((key) => known !== undefined && !known.includes(key));
    if (unknown !== undefined) throw this.#fail(at, `unknown key ${JSON.stringify(unknown)}`);
    return value as Json;
  }

  #map<T>(value: unknown, at: string, read: (value: unknown, at: string) => T): Readonly<Record<string, T>> {
    const entries = Object.entries(this.#object(value, at, undefined));
    return Object.fromEntries(entries.map(([key, entry]) => [key, read(entry, `${at}[${JSON.stringify(key)}]`)]));
  }

  #requirements(value: unknown, at: string): readonly Requirement[] {
    if (!Array.isArray(value) || value.length === 0)
      throw this.#fail(at, "expected a list of at least one requirement");
    return value.map((entry, index) => this.#requirement(entry, `${at}[${index}]`));
  }

  #requirement(value: unknown, at: string): Requirement {
    const type = this.#text(this.#object(value, at, undefined)["type"], `${at}.type`);
    switch (type) {
      case "insecureAcceptAnything":
      case "reject":
        this.#object(value, at, ["type"]);
        return { type };
      case "signedBy":
      case "signedBaseLayer":
        return { type: "unsupported", name: type };
      case "sigstoreSigned":
        return this.#sigstore(value, at);
      default:
        throw this.#fail(`${at}.type`, `unknown requirement ${JSON.stringify(type)}`);
    }
  }

  #sigstore(value: unknown, at: string): Requirement {
    const known = [
      "type",
      "keyPath",
      "keyPaths",
      "keyData",
      "keyDatas",
      "signedIdentity",
      "fulcio",
      "rekorPublicKeyPath",
    ];
    const more = ["rekorPublicKeyPaths", "rekorPublicKeyData", "rekorPublicKeyDatas", "pki"];
    const object = this.#object(value, at, [...known, ...more]);
    for (const key of ["fulcio", ...known.slice(7), ...more]) {
      // They need certificates and logs of a service: what asks for them lets nothing pass.
      if (object[key] !== undefined) return { type: "unsupported", name: `sigstoreSigned with ${key}` };
    }
    const keys = this.#keys(object, at);
    const identity = object["signedIdentity"];
    return {
      type: "sigstoreSigned",
      keys,
      identity:
        identity === undefined ? { type: "matchRepoDigestOrExact" } : this.#identity(identity, `${at}.signedIdentity`),
    };
  }

  #keys(object: Json, at: string): readonly KeySource[] {
    const given = ["keyPath", "keyPaths", "keyData", "keyDatas"].filter((key) => object[key] !== undefined);
    const [key, ...others] = given;
    if (key === undefined || others.length > 0) {
      throw this.#fail(at, "exactly one of keyPath, keyPaths, keyData and keyDatas must be specified");
    }
    const values = key.endsWith("s") ? object[key] : [object[key]];
    if (!Array.isArray(values) || values.length === 0)
      throw this.#fail(`${at}.${key}`, "expected a list with an entry");
    return values.map((value: unknown): KeySource => {
      const text = this.#text(value, `${at}.${key}`);
      if (key.startsWith("keyPath")) return { kind: "path", path: text };
      return { kind: "data", pem: Buffer.from(text, "base64") };
    });
  }

  #identity(value: unknown, at: string): IdentityMatch {
    const type = this.#text(this.#object(value, at, undefined)["type"], `${at}.type`);
    const field = (key: string, known: readonly string[]) =>
      this.#text(this.#object(value, at, ["type", ...known])[key], `${at}.${key}`);
    switch (type) {
      case "matchExact":
      case "matchRepoDigestOrExact":
      case "matchRepository":
        this.#object(value, at, ["type"]);
        return { type };
      case "exactReference":
        return { type, name: field("dockerReference", ["dockerReference"]) };
      case "exactRepository":
        return { type, name: field("dockerRepository", ["dockerRepository"]) };
      case "remapIdentity": {
        const known = ["prefix", "signedPrefix"];
        return { type, prefix: field("prefix", known), signedPrefix: field("signedPrefix", known) };
      }
      default:
        throw this.#fail(`${at}.type`, `unknown match ${JSON.stringify(type)}`);
    }
  }

  #text(value: unknown, at: string): string {
    if (typeof value === "string" && value !== "") return value;
    throw this.#fail(at, "expected a text");
  }
}
