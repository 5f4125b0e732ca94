import { InvalidArgument } from "@boxship/base";
import { type Call, empty } from "../http/call.ts";
import { uploadAt } from "./upload-headers.ts";

/** `PATCH /v2/{name}/blobs/uploads/{id}`: a piece, with or without `Content-Range`. */
export async function uploadPatch(call: Call): Promise<void> {
  await call.allow("push");
  const { repository, reference, uploads, request } = call;
  const offset = await uploads.append(repository, reference, request, rangeStart(request.headers["content-range"]));
  empty(call, 202, uploadAt(repository, reference, offset));
}

function rangeStart(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const match = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/.*)?$/.exec(header);
  const [start, end] = [Number(match?.[1]), Number(match?.[2])];
  if (match !== null && start <= end + 1) return start;
  throw new InvalidArgument(`invalid content range ${JSON.stringify(header)}`, {
    subject: { kind: "upload range", name: header },
  });
}
