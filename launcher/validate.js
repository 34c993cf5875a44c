"use strict";

require("./main.js").run("validate");
