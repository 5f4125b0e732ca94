import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Json, listAt, parseJson, textAt, valueAt } from "@boxship/api";
import { InvalidArgument, NotFound, ResourceExhausted, Unsupported } from "@boxship/base/errors";
import {
  createRegistryClient,
  credentialFiles,
  credentialsFor,
  type Descriptor,
  formatReference,
  parseReference,
  type Reference,
  type RegistryClient,
  withTag,
} from "@boxship/oci";
import { loadArchive } from "../chart/load-chart.ts";
import { storedMetadata } from "../chart/stored-metadata.ts";
import { parseConstraint } from "../version/constraint.ts";
import { compareVersions, parseVersion } from "../version/version.ts";
import { pem, type RemoteAccess } from "./fetch-bounded.ts";

const CONFIG = "application/vnd.cncf.helm.config.v1+json";
const CONTENT = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
const PROVENANCE = "application/vnd.cncf.helm.chart.provenance.v1.prov";
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const MOST_CHART_BYTES = 100 * 1024 * 1024;
const MOST_PROVENANCE_BYTES = 1024 * 1024;

export interface RegistryAccess extends Omit<RemoteAccess, "passCredentials"> {
  readonly plainHttp: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
}

async function clientFor(
  { domain }: Reference,
  { plainHttp, insecure, username, password, caFile, certFile, keyFile, env }: RegistryAccess,
): Promise<RegistryClient> {
  if (certFile !== "" || keyFile !== "") {
    throw new Unsupported("--cert-file and --key-file are not supported for registries");
  }
  const ca = await pem(caFile);
  // Who names an authority wants it asked, even of a registry on this machine.
  const registry = {
    ...(ca !== undefined && { ca, insecure: false }),
    ...((plainHttp || insecure) && { insecure: true }),
  };
  const credentials =
    username === "" ? credentialFiles({ env }) : credentialsFor(domain, { kind: "password", username, password });
  return createRegistryClient({
    credentials,
    transferHere: true,
    registries: { [domain]: registry },
  });
}

const referenceOf = (text: string): Reference => parseReference(text.replace(/^oci:\/\//, ""));
/** Tags have no plus. */
const tagOf = (version: string): string => version.replaceAll("+", "_");

export interface PulledChart {
  readonly archive: Buffer;
  readonly reference: string;
  readonly digest: string;
  /** The provenance file, where one was pushed. */
  readonly provenance: Buffer | undefined;
}

/** Fetches a chart from a registry. @param constraint of its version; empty for the newest release */
export async function pullChart(address: string, constraint: string, access: RegistryAccess): Promise<PulledChart> {
  const given = referenceOf(address);
  await using client = await clientFor(given, access);
  const exact = given.tag !== undefined || given.digest !== undefined;
  const reference = exact ? given : withTag(given, await chooseTag(client, given, constraint));
  const { bytes, digest } = await client.manifest(reference);
  const manifest = parseJson(Buffer.from(bytes).toString("utf8"));
  const layers = listAt(manifest, "layers");
  const archive = await readLayer(CONTENT, MOST_CHART_BYTES);
  if (archive === undefined) throw new InvalidArgument(`${formatReference(reference)} is no chart`);
  const provenance = await readLayer(PROVENANCE, MOST_PROVENANCE_BYTES);
  return { archive, provenance, reference: formatReference(reference), digest };

  async function readLayer(mediaType: string, most: number): Promise<Buffer | undefined> {
    const layer = layers.find((one) => textAt(one, "mediaType") === mediaType);
    if (layer === undefined) return undefined;
    const size = Number(valueAt(layer, "size") ?? 0);
    if (size > most) throw new ResourceExhausted(`${formatReference(reference)} is larger than ${most} bytes`);
    const descriptor = { mediaType, digest: textAt(layer, "digest") as Descriptor["digest"], size };
    return Buffer.from(await client.readBlob(reference, descriptor));
  }
}

/** Says who one is to a registry. @throws PermissionDenied where it does not believe it */
export async function checkLogin(host: string, access: RegistryAccess): Promise<void> {
  const reference = parseReference(`${host}/x`);
  await using client = await clientFor(reference, access);
  await client.ping(reference);
}

async function chooseTag(client: RegistryClient, reference: Reference, constraint: string): Promise<string> {
  const exact = parseVersion(constraint);
  if (exact !== undefined && /^v?\d+\.\d+\.\d+/.test(constraint)) return tagOf(constraint);
  const wanted = parseConstraint(constraint || "*");
  const versions = (await client.tags(reference)).flatMap((tag) => {
    const version = parseVersion(tag.replaceAll("_", "+"));
    return version === undefined || !wanted.allows(version) ? [] : [{ tag, version }];
  });
  const newest = versions.sort((a, b) => compareVersions(b.version, a.version))[0];
  if (newest === undefined)
    throw new NotFound(`no version of ${formatReference(reference)} matches ${constraint || "*"}`);
  return newest.tag;
}

/** Brings a packed chart to a registry, with its provenance file, under its name and version. @returns where it is, and its digest */
export async function pushChart(
  archive: Buffer,
  address: string,
  access: RegistryAccess,
  provenance: Buffer | undefined,
) {
  const { metadata } = await loadArchive(archive);
  const repository = referenceOf(`${address.replace(/\/+$/, "")}/${metadata.name}`);
  const reference = withTag(repository, tagOf(metadata.version));
  await using client = await clientFor(reference, access);
  const config = Buffer.from(JSON.stringify(storedMetadata(metadata)));
  const folder = await mkdtemp(join(tmpdir(), "boxship-helm-"));
  try {
    const [configBlob, layers] = [await put(CONFIG, config), [await put(CONTENT, archive)]];
    if (provenance !== undefined) layers.push(await put(PROVENANCE, provenance));
    const annotations: Record<string, Json> = {
      "org.opencontainers.image.title": metadata.name,
      "org.opencontainers.image.version": metadata.version,
      ...(metadata.description !== "" && { "org.opencontainers.image.description": metadata.description }),
    };
    const bytes = Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config: configBlob, layers, annotations }),
    );
    const digest = digestOf(bytes);
    await client.putManifest(reference, { bytes, digest, mediaType: MANIFEST });
    return { reference: formatReference(reference), digest };
  } finally {
    await rm(folder, { recursive: true });
  }

  async function put(mediaType: string, bytes: Buffer) {
    const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length };
    const path = join(folder, descriptor.digest);
    await writeFile(path, bytes);
    await client.pushBlob({ reference, descriptor, store: { path: () => Promise.resolve(path) } });
    return descriptor;
  }
}

const digestOf = (bytes: Buffer) => `sha256:${createHash("sha256").update(bytes).digest("hex")}` as const;
