import { compact, type Field } from "./decode.ts";
import { type Digest, isDigest, parseDigest } from "./digest.ts";
import { encodePlatform, type Platform, readPlatform } from "./platform.ts";

/** Points at content (OCI image spec, descriptor.md). */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly urls?: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
  /** The content itself, base64. */
  readonly data?: string;
  readonly artifactType?: string;
  readonly platform?: Platform;
}

/** RFC 6838, section 4.2. */
const MEDIA_TYPE = /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/;

export function readMediaType(field: Field): string {
  const text = field.string();
  if (!MEDIA_TYPE.test(text)) throw field.fail(`${JSON.stringify(text)} is no media type`);
  return text;
}

export function readDigest(field: Field): Digest {
  const text = field.string();
  if (!isDigest(text)) {
    try {
      parseDigest(text);
    } catch (error) {
      throw field.fail(`${JSON.stringify(text)}: ${error instanceof Error ? error.message : "no digest"}`);
    }
  }
  return text as Digest;
}

/** @throws InvalidArgument for a malformed descriptor */
export function readDescriptor(field: Field): Descriptor {
  return compact({
    mediaType: readMediaType(field.get("mediaType")),
    digest: readDigest(field.get("digest")),
    size: field.get("size").integer(),
    urls: field.get("urls").optional((urls) => urls.strings()),
    annotations: field.get("annotations").optional((annotations) => annotations.stringRecord()),
    data: field.get("data").optional((data) => data.string()),
    artifactType: field.get("artifactType").optional((type) => type.string()),
    platform: field.get("platform").optional((platform) => readPlatform(platform)),
  });
}

/** The descriptor as documents spell it. */
export function encodeDescriptor(descriptor: Descriptor): Readonly<Record<string, unknown>> {
  const { platform, ...rest } = descriptor;
  return compact({ ...rest, platform: platform === undefined ? undefined : encodePlatform(platform) });
}
