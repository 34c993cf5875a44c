target "default" {
  output = ["type=oci,dest=bake.tar"]
}
