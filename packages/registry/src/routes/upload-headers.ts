import type { IncomingMessage } from "node:http";
import { InvalidArgument } from "@boxship/base";
import type { Digest } from "@boxship/oci";
import { type Call, empty, warningOf } from "../http/call.ts";

/** Where an upload goes on, and what it has: the range's end is inclusive, so that an empty one ends at 0, too. */
export function uploadAt(repository: string, id: string, offset: number): Record<string, string> {
  return {
    location: `/v2/${repository}/blobs/uploads/${id}`,
    "docker-upload-uuid": id,
    range: `0-${Math.max(0, offset - 1)}`,
  };
}

/** A blob is in the repository: uploaded, or mounted from another one. */
export async function finished(call: Call, digest: Digest, fromRepository?: string): Promise<void> {
  const { size } = await call.repositories.blob(call.repository, digest);
  const blob = { digest, size, mediaType: "application/octet-stream" };
  await call.tell(
    fromRepository === undefined ? { action: "push", ...blob } : { action: "mount", ...blob, fromRepository },
  );
  const location = `/v2/${call.repository}/blobs/${digest}`;
  empty(call, 201, { ...warningOf(call), location, "docker-content-digest": digest });
}

/**
 * The first byte that a piece says it has; undefined where it does not say.
 *
 * @throws InvalidArgument for no range, and for one of another length than the piece
 */
export function rangeStart({ headers }: IncomingMessage): number | undefined {
  const { "content-range": header, "content-length": length } = headers;
  if (header === undefined) return undefined;
  const match = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/.*)?$/.exec(header);
  const [start, end] = [Number(match?.[1]), Number(match?.[2])];
  if (match === null || start > end + 1) {
    throw new InvalidArgument(`invalid content range ${JSON.stringify(header)}`, {
      subject: { kind: "upload range", name: header },
    });
  }
  // There is no range for nothing: clients write what they like.
  if (length !== undefined && length !== "0" && Number(length) !== end - start + 1) {
    throw new InvalidArgument(`${length} bytes are not the range ${header}`, {
      subject: { kind: "size", name: length },
    });
  }
  return start;
}
