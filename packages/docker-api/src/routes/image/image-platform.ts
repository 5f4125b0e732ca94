import { InvalidArgument, NotFound } from "@boxship/base";
import type { ImageView } from "@boxship/engine";
import { text } from "../../http/query.ts";
import { decodeBody, field, isObject, object, string } from "../../wire/codec.ts";

interface Platform {
  readonly os?: string;
  readonly architecture?: string;
  readonly variant?: string;
}

const platformCodec = object<Platform>("Platform", {
  os: field("os", string),
  architecture: field("architecture", string),
  variant: field("variant", string),
});

/** The parameter `platform`: JSON, as an OCI descriptor has it. */
export function platformOf(query: URLSearchParams): Platform | undefined {
  const raw = text(query, "platform");
  if (raw === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(raw);
  } catch (cause) {
    throw new InvalidArgument(`invalid platform ${JSON.stringify(raw)}: not JSON`, { cause });
  }
  if (!isObject(value)) throw new InvalidArgument(`invalid platform ${JSON.stringify(raw)}: not a JSON object`);
  return decodeBody(platformCodec, value, { version: 0, warnings: [] });
}

/** The image, if it is of the platform that was asked for. Throws `NotFound`. */
export function requirePlatform(image: ImageView, platform: Platform | undefined): ImageView {
  if (platform === undefined) return image;
  const { os = image.os, architecture = image.architecture, variant = image.variant } = platform;
  if (os === image.os && architecture === image.architecture && variant === image.variant) return image;
  const name = image.repoTags[0] ?? image.id;
  throw new NotFound(`image ${name} was found, but it is not of the platform ${os}/${architecture}`);
}

/** The same as people write it: `linux/arm/v7`. */
export function platformText(platform: Platform | undefined): string | undefined {
  if (platform === undefined) return undefined;
  const { os, architecture, variant } = platform;
  const parts = [os, architecture, architecture === undefined ? undefined : variant];
  const words = parts.filter((part) => part !== undefined);
  return words.length === 0 ? undefined : words.join("/");
}
