import { NotFound } from "@boxship/base";
import {
  configPlatform,
  formatPlatform,
  type ImageRecord,
  type Platform,
  parsePlatform,
  platformRank,
} from "@boxship/oci";

/** The platform of a request; empty means that none was named. */
export function platformAsked(text: string | undefined): Platform | undefined {
  return text === undefined || text === "" ? undefined : parsePlatform(text);
}

/** @throws NotFound when the image does not run on the platform that was asked for */
export function requirePlatform(record: ImageRecord, name: string, text: string | undefined): void {
  const wanted = platformAsked(text);
  const own = configPlatform(record.config);
  if (wanted === undefined || platformRank(wanted, own) !== undefined) return;
  throw new NotFound(
    `image with reference ${name} was found but its platform (${formatPlatform(own)}) does not match the specified platform (${formatPlatform(wanted)})`,
    {
      subject: { kind: "platform", name: formatPlatform(wanted) },
      remedy: `boxship pull --platform ${formatPlatform(wanted)} ${name}`,
    },
  );
}
