import { NotFound } from "./errors.ts";
import { serveTasks } from "./worker-pool.ts";

serveTasks(async (request: { readonly what: string; readonly n?: number }, context) => {
  switch (request.what) {
    case "double":
      context.progress("working");
      return (request.n ?? 0) * 2;
    case "fail":
      throw new NotFound("no such thing", { remedy: "make one", subject: { kind: "thing", name: "x" } });
    case "wait":
      for (;;) {
        context.throwIfCancelled();
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    default:
      return process.exit(3);
  }
});
