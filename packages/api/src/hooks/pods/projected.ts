import { isObject, type Json } from "../../object/json.ts";
import { listAt, textAt, valueAt } from "../../object/kube-object.ts";
import type { Findings } from "../../validation/findings.ts";
import { checkSelector } from "../../validation/selectors.ts";
import { checkDownwardFile } from "./downward.ts";
import { checkMode, checkOwnPath } from "./paths.ts";

const SHORTEST_TOKEN = 600;
const LONGEST_TOKEN = 2 ** 32;
const KEY_TYPES = ["RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519"];

/** `core/v1.KeyToPath` */
export function checkItem(found: Findings, at: string, item: Json): void {
  for (const field of ["key", "path"]) if (textAt(item, field) === "") found.required(`${at}.${field}`);
  checkOwnPath(found, `${at}.path`, textAt(item, "path"));
  checkMode(found, `${at}.mode`, valueAt(item, "mode"));
}

/** Paths in a volume, each once. */
class Paths {
  readonly #found: Findings;
  readonly #at: string;
  readonly #seen = new Set<string>();

  constructor(found: Findings, at: string) {
    this.#found = found;
    this.#at = at;
  }

  add(path: string, shown = path): void {
    if (this.#seen.has(path)) this.#found.invalid(this.#at, shown, "conflicting duplicate paths");
    this.#seen.add(path);
  }
}

function checkKeys(found: Findings, at: string, source: Json, paths: Paths): void {
  const name = textAt(source, "name");
  if (name === "") found.required(`${at}.name`);
  for (const [index, item] of listAt(source, "items").entries()) {
    checkItem(found, `${at}.items[${index}]`, item);
    if (textAt(item, "path") !== "") paths.add(textAt(item, "path"), name);
  }
}

function checkToken(found: Findings, volume: string, at: string, token: Json): void {
  const seconds = Number(valueAt(token, "expirationSeconds") ?? 3600);
  const field = `${at}.expirationSeconds`;
  if (seconds < SHORTEST_TOKEN) found.invalid(field, seconds, "may not specify a duration less than 10 minutes");
  if (seconds > LONGEST_TOKEN) found.invalid(field, seconds, "may not specify a duration larger than 2^32 seconds");
  const path = textAt(token, "path");
  if (path === "") found.required(`${volume}.path`);
  else checkOwnPath(found, `${volume}.path`, path);
}

function checkTrustBundle(found: Findings, at: string, bundle: Json, paths: Paths): void {
  const [name, signer, selector] = ["name", "signerName", "labelSelector"].map((field) => valueAt(bundle, field));
  if (typeof name === "string" && typeof signer === "string")
    found.invalid(at, bundle, "only one of name and signerName may be used");
  else if (typeof name === "string") {
    if (name === "") found.required(`${at}.name`, "must be a valid object name");
    if (isObject(selector))
      found.invalid(`${at}.labelSelector`, selector, "labelSelector must be unset if name is specified");
  } else if (typeof signer === "string") {
    if (signer === "") found.required(`${at}.signerName`, "must be a valid signer name");
    checkSelector(found, `${at}.labelSelector`, selector);
  } else found.required(at, "either name or signerName must be specified");
  const path = textAt(bundle, "path");
  if (path === "") found.required(`${at}.path`);
  checkOwnPath(found, `${at}.path`, path);
  paths.add(path);
}

function checkCertificate(found: Findings, at: string, certificate: Json, paths: Paths): void {
  const type = textAt(certificate, "keyType");
  if (!KEY_TYPES.includes(type)) found.notSupported(`${at}.keyType`, type, KEY_TYPES);
  const seconds = valueAt(certificate, "maxExpirationSeconds");
  if (typeof seconds === "number" && seconds < 3600)
    found.invalid(`${at}.maxExpirationSeconds`, seconds, "if provided, maxExpirationSeconds must be >= 3600");
  let count = 0;
  for (const field of ["credentialBundlePath", "keyPath", "certificateChainPath"]) {
    const path = textAt(certificate, field);
    if (path === "") continue;
    count++;
    checkOwnPath(found, `${at}.${field}`, path);
    paths.add(path);
  }
  if (count === 0)
    found.required(at, "specify at least one of credentialBundlePath, keyPath, and certificateChainPath");
}

/** `core/v1.ProjectedVolumeSource` */
export function checkProjected(found: Findings, at: string, volume: Json): void {
  checkMode(found, `${at}.defaultMode`, valueAt(volume, "defaultMode"));
  const paths = new Paths(found, at);
  for (const [index, source] of listAt(volume, "sources").entries()) {
    const here = `${at}.sources[${index}]`;
    const given = (field: string, check: (below: string, value: Json) => void): number => {
      const value = valueAt(source, field);
      if (!isObject(value)) return 0;
      check(`${here}.${field}`, value);
      return 1;
    };
    const keys = (below: string, value: Json): void => checkKeys(found, below, value, paths);
    const count =
      given("secret", keys) +
      given("configMap", keys) +
      given("downwardAPI", (below, value) => {
        for (const file of listAt(value, "items")) {
          checkDownwardFile(found, below, file);
          if (textAt(file, "path") !== "") paths.add(textAt(file, "path"));
        }
      }) +
      given("serviceAccountToken", (below, value) => checkToken(found, at, below, value)) +
      given("clusterTrustBundle", (below, value) => checkTrustBundle(found, below, value, paths)) +
      given("podCertificate", (below, value) => checkCertificate(found, below, value, paths));
    if (count > 1) found.forbidden(here, "may not specify more than 1 volume type per source");
  }
}
