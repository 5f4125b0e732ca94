import { type ErrorDetail } from "@boxship/grpc";
import type { BuildFailure } from "../../contract.ts";
import { failureOf } from "../../solver/failure.ts";

/** What a failing build has to tell beside its message, so that clients show the lines of the file. */
export function errorDetails(error: unknown): readonly ErrorDetail[] {
  const failure = failureOf(error);
  if (failure === undefined) return [];
  const [first, last] = failure.lines;
  const source = {
    info: { filename: failure.file, data: sourceText(failure).toString("base64"), language: "Dockerfile" },
    ranges: [{ start: { line: first }, end: { line: last } }],
  };
  return [
    { typeUrl: "github.com/moby/buildkit/errdefs.Source+json", value: Buffer.from(JSON.stringify(source)) },
    ...(failure.vertex === undefined
      ? []
      : [
          {
            typeUrl: "github.com/moby/buildkit/errdefs.Vertex+json",
            value: Buffer.from(JSON.stringify({ digest: failure.vertex })),
          },
        ]),
  ];
}

/** The lines that are known, at their places. */
export function sourceText({ excerpt }: Pick<BuildFailure, "excerpt">): Buffer {
  const lines: string[] = [];
  for (const { line, text } of excerpt) lines[line - 1] = text;
  return Buffer.from(Array.from(lines, (line) => line ?? "").join("\n"));
}
