"use strict";

require("./main.js").run("build");
