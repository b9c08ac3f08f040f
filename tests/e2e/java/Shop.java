import brave.Span;
import brave.Tracing;
import brave.propagation.B3Propagation;
import brave.propagation.TraceContext;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.util.List;
import zipkin2.Endpoint;
import zipkin2.codec.SpanBytesEncoder;
import zipkin2.reporter.brave.AsyncZipkinSpanHandler;
import zipkin2.reporter.urlconnection.URLConnectionSender;

/** Shop ZIPKIN_URL CALLED_URL: one traced call by Brave, with B3 headers. Shop ZIPKIN_URL thrift: one span by Zipkin's own Thrift encoder. */
public class Shop {
  public static void main(String[] arguments) throws Exception {
    if (arguments[1].equals("thrift")) thrift(arguments[0]);
    else brave(arguments[0], arguments[1]);
  }

  static void brave(String zipkin, String called) throws Exception {
    URLConnectionSender sender = URLConnectionSender.newBuilder().endpoint(zipkin).compressionEnabled(true).build();
    AsyncZipkinSpanHandler handler = AsyncZipkinSpanHandler.newBuilder(sender).build();
    Tracing tracing = Tracing.newBuilder().localServiceName("Shop").addSpanHandler(handler).traceId128Bit(true)
        .propagationFactory(B3Propagation.newFactoryBuilder().injectFormat(B3Propagation.Format.MULTI).build()).build();
    TraceContext.Injector<HttpURLConnection> injector =
        tracing.propagation().injector((connection, key, value) -> connection.setRequestProperty(key, value));

    Span buy = tracing.tracer().newTrace().name("buy").start();
    Span call = tracing.tracer().newChild(buy.context()).kind(Span.Kind.CLIENT).name("POST").remoteServiceName("stock").start();
    call.remoteIpAndPort("127.0.0.1", 8080);
    HttpURLConnection connection = (HttpURLConnection) URI.create(called).toURL().openConnection();
    injector.inject(call.context(), connection);
    call.tag("http.path", "/stock").tag("http.status_code", Integer.toString(connection.getResponseCode())).annotate("answered");
    call.finish();
    buy.error(new IllegalStateException("sold out")).finish();
    System.out.println(buy.context().traceIdString());
    handler.flush();
    tracing.close();
    handler.close();
    sender.close();
  }

  static void thrift(String zipkin) throws Exception {
    long now = System.currentTimeMillis() * 1000;
    zipkin2.Span span = zipkin2.Span.newBuilder().traceId("00000000000000aa00000000000000bb").id("00000000000000cc").parentId("00000000000000dd")
        .name("old").kind(zipkin2.Span.Kind.SERVER).timestamp(now).duration(1500)
        .localEndpoint(Endpoint.newBuilder().serviceName("museum").ip("10.1.2.3").port(81).build())
        .addAnnotation(now + 1000, "dusted").putTag("http.method", "GET").build();
    byte[] body = SpanBytesEncoder.THRIFT.encodeList(List.of(span));
    HttpURLConnection connection = (HttpURLConnection) URI.create(zipkin).toURL().openConnection();
    connection.setDoOutput(true);
    connection.setRequestProperty("Content-Type", "application/x-thrift");
    try (OutputStream out = connection.getOutputStream()) {
      out.write(body);
    }
    System.out.println(connection.getResponseCode());
  }
}
