import { builderSuite } from "../testing/builder.suite.ts";

builderSuite("the builder in an unprivileged container, with user namespaces", { confined: { namespaces: true } });
builderSuite("the builder in an unprivileged container", { confined: { namespaces: false } });
