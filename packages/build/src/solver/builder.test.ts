import { builderSuite } from "../testing/builder.suite.ts";

builderSuite("the builder");
